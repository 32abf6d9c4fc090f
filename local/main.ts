import { parseArgs } from "node:util";
import { startLocalAws } from "./server.ts";

/** `node local/main.ts [--port N]`: serves until it gets a signal to stop, and prints `{"endpoint": "…"}` when it is ready. */
const { values } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const local = await startLocalAws({ port: Number(values.port) });
console.log(JSON.stringify({ endpoint: local.endpoint }));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void local.close().then(() => process.exit(0)));
}
