/** `node run-once.ts ENDPOINT FLAVOR`: one run in a process of its own; prints how long it took and the memory it needed. */
import { run } from "../../functions/run/run.ts";
import { realDependencies, useEndpoint } from "./local-process.ts";

const [endpoint = "", flavor = ""] = process.argv.slice(2);
useEndpoint(endpoint);
const began = performance.now();
const summary = await run({ flavor, include: false, orphanAfterSeconds: 86_400 }, realDependencies());
const milliseconds = performance.now() - began;
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ milliseconds, peakMegabytes, summary }));
process.exit(0);
