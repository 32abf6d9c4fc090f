#!/usr/bin/env bash
# Runs the contracts against emulators of AWS that need neither Docker nor an account: moto and MiniStack, or those that
# are named as arguments (moto, ministack, localstack). Installs them into .venv/; they listen on loopback only.
# PYTHON names the interpreter; LocalStack needs 3.12 or later.
set -euo pipefail
cd "$(dirname "$0")/../.."

START_SECONDS_MAX=120
PYTHON=${PYTHON:-python3}

main() {
  local emulators=("$@")
  [ $# -gt 0 ] || emulators=(moto ministack)
  home=$(mktemp -d)
  pid=
  trap stop EXIT
  for emulator in "${emulators[@]}"; do
    run "$emulator"
  done
}

run() {
  local port packages command
  port=$(free_port)
  case $1 in
    moto)
      packages=('moto[server]==5.2.5')
      command=(.venv/moto/bin/moto_server -H 127.0.0.1 -p "$port")
      ;;
    ministack)
      packages=('ministack==1.5.33')
      command=(env BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" .venv/ministack/bin/ministack)
      ;;
    localstack)
      # Its own list of dependencies lets in versions that it fails with, and forgets one.
      packages=('localstack-core[runtime]==4.14.0' 'cbor2<6' 'pyopenssl<26' service-identity)
      command=(env GATEWAY_LISTEN="127.0.0.1:$port" DNS_ADDRESS=0 SKIP_SSL_CERT_DOWNLOAD=1 DISABLE_EVENTS=1
        FILESYSTEM_ROOT="$home/localstack" .venv/localstack/bin/python -m localstack.runtime.main)
      ;;
    *)
      echo "unknown emulator: $1" >&2
      return 2
      ;;
  esac
  echo "== ${packages[*]}"
  install "$1" "${packages[@]}"
  # A home of its own: emulators keep state and caches there.
  HOME=$home "${command[@]}" >"$home/$1.log" 2>&1 &
  pid=$!
  await_port "$port" "$home/$1.log"
  EMULATOR=$1 AWS_ENDPOINT_URL=http://127.0.0.1:$port npx vitest run test/contracts
  stop_emulator
}

install() {
  local venv=.venv/$1
  shift
  [ "$(cat "$venv/packages" 2>/dev/null)" != "$*" ] || return 0
  "$PYTHON" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
  echo "$*" >"$venv/packages"
}

free_port() {
  "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

await_port() {
  local deadline=$((SECONDS + START_SECONDS_MAX))
  until curl --silent --output /dev/null --max-time 2 "http://127.0.0.1:$1/"; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      echo 'the emulator did not start:' >&2
      tail -n 50 "$2" >&2
      return 1
    fi
    sleep 0.5
  done
}

stop_emulator() {
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  pid=
}

stop() {
  stop_emulator
  rm -rf "$home"
}

main "$@"
