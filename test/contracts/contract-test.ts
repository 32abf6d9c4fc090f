import { afterAll, expect, test } from "vitest";
import { needs } from "../tools.ts";
import { type Gap, knownGaps } from "./known-gaps.ts";
import type { Target } from "./target.ts";

/** Declares one rule of a contract. One that is slow is checked of our own server in the gate only. */
export type ContractTest = (rule: string, check: () => Promise<void>, kind?: "slow") => void;

/**
 * Gives the `test` of one contract. A rule that is a known gap of the target still runs, and must fail, so that a gap
 * which was closed is noticed; one whose outcome varies is skipped. The gaps are printed at the end, with their reasons.
 */
export function contractTest(contract: "s3" | "eventBridge", { name }: Target): ContractTest {
  const gaps: Readonly<Record<string, Gap>> =
    (name in knownGaps && knownGaps[name as keyof typeof knownGaps][contract]) || {};
  const rules = new Set<string>();
  test(`${contract}: the known gaps of ${name} are rules of this contract`, () => {
    expect(Object.keys(gaps).filter((rule) => !rules.has(rule))).toEqual([]);
  });
  afterAll(() => {
    const lines = Object.entries(gaps).map(([rule, gap]) => `  ${gap.outcome}: ${rule}\n    ${gap.reason}`);
    console.log([`${contract} on ${name}: ${rules.size} rules, ${lines.length} known gaps`, ...lines].join("\n"));
  });
  return (rule, check, kind) => {
    rules.add(rule);
    const outcome = gaps[rule]?.outcome;
    const declare = outcome === "fails" ? test.fails : outcome === "varies" ? test.skip : test;
    const tags = kind === "slow" && name === "local" ? [needs("gate")] : [];
    declare(`${contract}: ${rule}`, { tags }, check);
  };
}

/** The HTTP status and error code of a call: `200` if it succeeded. What isn't an answer of the service is thrown. */
export async function outcomeOf(call: Promise<unknown>): Promise<{ status: number; code?: string }> {
  try {
    await call;
    return { status: 200 };
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined) throw error;
    return { status, code: error instanceof Error ? error.name : "" };
  }
}

/** A HEAD's errors have no code, so only the status can be relied on. */
export async function statusAfter(call: Promise<unknown>): Promise<number> {
  return (await outcomeOf(call)).status;
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== "object" || metadata === null || !("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}
