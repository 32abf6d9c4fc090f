/** Fails every test that needs a tool which this machine does not have. Vitest loads it where tools are required. */
import { beforeEach } from "vitest";
import { missingTools } from "./tools.ts";

beforeEach(({ task }) => {
  for (const tag of task.tags ?? []) {
    const install = missingTools.get(tag);
    if (install) throw new Error(`This test ${tag.replace("-", " ")}: ${install}`);
  }
});
