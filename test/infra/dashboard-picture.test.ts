import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { dashboardPicture } from "../../docs/dashboard-picture.ts";

test("the picture in docs/ is that of the template's dashboard (else: npm run docs)", () => {
  const picture = dashboardPicture();
  expect(picture).toBe(readFileSync(new URL("../../docs/dashboard.svg", import.meta.url), "utf8"));
  for (const question of [
    "Is it working?",
    "How long do jobs wait, and why?",
    "How long do they run, and how do they end?",
  ]) {
    expect(picture).toContain(question);
  }
});
