import { expect, test } from "vitest";
import { select } from "../../functions/storage/select.ts";
import { storageListing } from "../../functions/storage/storage-listing.ts";

const NOW = 1_700_000_000_000;
const LIMITS = { include: false, orphanAfterSeconds: 3_600 };

function listing(name: string, file: string, ageSeconds = 0, size = 1) {
  const prefix = `runners/large/${name}/`;
  const object = {
    key: prefix + file,
    size,
    etag: '"a"',
    lastModified: NOW - ageSeconds * 1000,
    storageClass: "STANDARD",
  };
  return storageListing("large", name, [object], NOW);
}

test("a runner that has reported its end is selected, and another one after it was silent for longer than the limit", () => {
  expect(select(listing("r-1", "post-job-metrics.json"), LIMITS)).toBe("selected");
  expect(select(listing("r-1", "post-job-metrics.json", 0, 0), LIMITS)).toBe("notReady");
  expect(select(listing("r-1", "runner-installed.timestamp", 3_600), LIMITS)).toBe("notReady");
  expect(select(listing("r-1", "runner-installed.timestamp", 3_601), LIMITS)).toBe("selected");
});

test("named runners are excluded, or are the only ones selected, by storage or by name", () => {
  const runners = new Set(["i-0abc"]);
  const named = listing("AROA:i-0abc", "other");
  expect(select(named, { ...LIMITS, runners })).toBe("excluded");
  expect(select(named, { ...LIMITS, runners, include: true })).toBe("selected");
  expect(select(listing("r-1", "other"), { ...LIMITS, runners })).toBe("selected");
  expect(select(listing("r-1", "other"), { ...LIMITS, runners, include: true })).toBe("excluded");
  expect(select(named, { ...LIMITS, runners: new Set(["AROA:i-0abc"]) })).toBe("excluded");
});

test("a job that has ended is selected while its persistent runner lives on", () => {
  const alive = new Set(["i-0abc"]);
  expect(select(listing("AROA:i-0abc", "post-job-metrics.json"), { ...LIMITS, alive })).toBe("selected");
  expect(select(listing("AROA:i-0abc~07", "post-job-metrics.json"), { ...LIMITS, alive })).toBe("selected");
  const named = { ...LIMITS, runners: new Set(["AROA:i-0abc"]) };
  expect(select(listing("AROA:i-0abc~07", "post-job-metrics.json"), named)).toBe("selected");
  expect(select(listing("AROA:i-0abc~07", "pre-job-metrics.json"), named)).toBe("excluded");
  // The reference's filter, which knows no slots.
  expect(select(listing("AROA:i-0abc", "post-job-metrics.json"), named)).toBe("excluded");
  const others = { ...LIMITS, runners: new Set(["r-1"]), include: true };
  expect(select(listing("AROA:i-0abc~07", "post-job-metrics.json"), others)).toBe("excluded");
  expect(select(listing("r-1~07", "pre-job-metrics.json"), others)).toBe("selected");
});

test("a runner that GitHub names is excluded; another is selected after an hour of silence", () => {
  const filter = { ...LIMITS, orphanAfterSeconds: 86_400, alive: new Set(["r-1"]) };
  expect(select(listing("r-1", "pre-job-metrics.json", 90_000), filter)).toBe("excluded");
  expect(select(listing("r-1~07", "pre-job-metrics.json", 90_000), filter)).toBe("excluded");
  expect(select(listing("r-2", "other", 3_600), filter)).toBe("notReady");
  expect(select(listing("r-2", "other", 3_601), filter)).toBe("selected");
  expect(select(listing("r-2", "other", 100), { ...filter, orphanAfterSeconds: 60 })).toBe("selected");
});
