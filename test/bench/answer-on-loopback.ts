/** `node --import answer-on-loopback.ts`: AWS's host names are answered by the local process on the port `BENCH_PORT`, over TLS. */
import tls from "node:tls";

const port = Number(process.env.BENCH_PORT);
const connect = tls.connect;
tls.connect = ((options: tls.ConnectionOptions) =>
  connect({ ...options, host: "127.0.0.1", port })) as typeof tls.connect;
