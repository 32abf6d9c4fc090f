import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { startLocalAws } from "./server.ts";

/** `node local/main.ts [--port N] [--tls FOLDER]`: serves until it gets a signal to stop, and prints `{"endpoint": "…"}` when it is ready. */
const { values } = parseArgs({ options: { port: { type: "string", default: "0" }, tls: { type: "string" } } });
const pem = (name: string) => readFileSync(`${values.tls}/${name}`, "utf8");
const tls = values.tls === undefined ? {} : { tls: { key: pem("leaf.key"), cert: pem("leaf.pem") } };
const local = await startLocalAws({ port: Number(values.port), ...tls });
console.log(JSON.stringify({ endpoint: local.endpoint }));
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => void local.close().then(() => process.exit(0)));
}
