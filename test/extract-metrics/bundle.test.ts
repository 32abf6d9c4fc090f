import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bundleOf } from "../worlds/invoke-handler.ts";

/** Of everything that is deployed: what Lambda reads at each cold start. */
const BUNDLE_BYTES_MAX = 720_000;

test("what is deployed is small, has no hook on promises, and looks for credentials in the environment only", async () => {
  const bundle = readFileSync(await bundleOf("extract-metrics"));
  expect(bundle.length).toBeLessThan(BUNDLE_BYTES_MAX);
  // X-Ray's SDK sets one, which doubles the CPU of a run.
  expect(bundle.includes("createHook")).toBe(false);
  expect(bundle.includes("credential_process")).toBe(false);
});
