import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Runner } from "./fleet.ts";

/** How a stand-in for curl answers every request. */
interface Answers {
  /** Time that an answer takes. A request that takes longer than its `max-time` has no answer. */
  readonly milliseconds: number;
  readonly status: number;
  /** The answer's `Date`. */
  readonly date?: string;
  /** By how much the clock is set back after a step has read it for the first time. */
  readonly setBackSeconds?: number;
}

/**
 * For runner-metrics.conf: a clock that moves only by what requests and pauses take, so that a busy machine changes nothing.
 * No request is really sent.
 */
export function virtualTime({ milliseconds, status, date = "", setBackSeconds = 0 }: Answers): string {
  return `
elapse() { echo $(($(cat "$home/elapsed") + $1)) >"$home/elapsed"; }
date() {
  case $1 in
    +%s)
      seconds_back=0
      if [ -e "$home/is-read" ]; then seconds_back=${setBackSeconds}; else : >"$home/is-read"; fi
      echo $((1700000000 + $(cat "$home/elapsed") / 1000 - seconds_back))
      ;;
    *) command date "$@" ;;
  esac
}
sleep() { elapse $(($1 * 1000)); }
timeout() { elapse $(($1 * 1000)) && return 124; }
curl() {
  case $* in *--version*) command curl "$@" && return ;; esac
  awk -v milliseconds=${milliseconds} -v status=${status} -v date='${date}' -v elapsed="$(cat "$home/elapsed")" -v file="$home/elapsed" '
    function answer() {
      if (milliseconds <= max) { elapsed += milliseconds; print name " " status "|" date "|0.5 1|"; return 1 }
      elapsed += max; print name " 000||0.5 1|no answer in time"; return 0
    }
    $1 == "max-time" { max = $3 * 1000 }
    $1 == "write-out" { name = substr($3, 2) }
    $1 == "next" && !answer() { failed = 1; exit }
    END { if (!failed) answer(); print int(elapsed) >file }'
}`;
}

/** The seconds that a step took by that clock. */
export async function virtualSecondsOf(runner: Runner, step: () => Promise<unknown>): Promise<number> {
  writeFileSync(join(runner.home, "elapsed"), "0\n");
  await step();
  return Number(readFileSync(join(runner.home, "elapsed"), "utf8")) / 1000;
}
