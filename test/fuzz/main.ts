/**
 * Fuzzing at length.
 *
 *     npm run test:all -- fuzz                         1,000,000 bodies and 1,000,000 keys
 *     npm run test:all -- fuzz --runs N --seed N    so many, from that seed
 */
import { parseArgs } from "node:util";
import { createRandom } from "../simulation/random.ts";
import { fuzzBodies, fuzzKeys } from "./fuzz.ts";

const { values } = parseArgs({ options: { runs: { type: "string" }, seed: { type: "string" } } });
const runs = Number(values.runs ?? 1_000_000);
const seed = Number(values.seed ?? 1);

const bodies = fuzzBodies(createRandom(seed), runs);
const reasons = [...bodies.reasons].map(([reason, count]) => `${reason} ${count}`).join(", ");
const { millisecondsP99, millisecondsMax } = bodies;
console.log(`${bodies.bodies} bodies: 0 escapes; ${bodies.metrics} taken; ${reasons}`);
console.log(
  `a body takes ${millisecondsP99.toFixed(3)} ms at the 99th percentile, ${millisecondsMax.toFixed(1)} ms at most`,
);

const keys = await fuzzKeys(createRandom(seed), runs);
console.log(
  `${keys.keys} keys in ${keys.runs} runs: 0 escapes; ${keys.quarantined} storages quarantined, ${keys.ignored} not`,
);
