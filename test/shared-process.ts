/** Files of tests share a process: what one sets in the environment ends with it. Vitest loads this module anew for each. */
import { afterAll } from "vitest";

const before = { ...process.env };

afterAll(() => {
  for (const name of Object.keys(process.env)) {
    if (!Object.hasOwn(before, name)) delete process.env[name];
  }
  Object.assign(process.env, before);
});
