import { afterAll, expect, test, vi } from "vitest";
import { emptySummary, type Summary } from "../../functions/run/summary.ts";

/** No run is known that violates a rule, so this one is made up. */
const BROKEN: Summary = { ...emptySummary("large"), listed: 1 };

vi.mock("../../functions/run/run.ts", async (original) => ({
  ...(await original<typeof import("../../functions/run/run.ts")>()),
  run: async () => BROKEN,
}));
vi.stubEnv("BUCKET_NAME", "metrics");
vi.stubEnv("EVENT_BUS_NAME", "runner-metrics");
vi.stubEnv("AWS_REGION", "us-east-1");
// Powertools then writes to the console that a test can replace.
vi.stubEnv("POWERTOOLS_DEV", "true");
afterAll(() => vi.unstubAllEnvs());

test("a run that violates one rule logs an error that names it", async () => {
  const lines: string[] = [];
  for (const level of ["info", "log", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => void lines.push(line));
  }
  // A copy that another file has loaded does not have the mock.
  vi.resetModules();
  const { handler } = await import("../../functions/extract-metrics/handler.ts");
  await handler({ flavor: "large" }, { getRemainingTimeInMillis: () => 60_000 } as never);
  const logged = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "ERROR");
  expect(logged).toMatchObject([{ violatedInvariants: ["every listed storage has one outcome"], summary: BROKEN }]);
});
