/** `node measured.ts KIND FLAVOR RUNNERS BUNDLE`: does the work of one kind in this process, and prints the CPU and memory that it took. */
import type { Context } from "aws-lambda";

const [kind = "", flavor = "", runners = "0", bundle = ""] = process.argv.slice(2);
const prefixes = Array.from(
  { length: Number(runners) },
  (_, number) => `runners/${flavor}/runner-${String(number).padStart(7, "0")}`,
);

/** Each returns how many runners it did. Modules are loaded before the work is measured. */
const KINDS: Readonly<Record<string, () => Promise<() => Promise<number>>>> = {
  async handler() {
    const { handler } = await import(bundle);
    const context = {
      functionName: "extract-metrics",
      invokedFunctionArn: "arn:aws:lambda:us-east-1:111111111111:function:extract-metrics",
      awsRequestId: "00000000-0000-4000-8000-000000000000",
      getRemainingTimeInMillis: () => 900_000,
    } as Context;
    return async () => (await handler({ flavor }, context)).extracted;
  },
  async "bare-sdk"() {
    const [{ readWithSdk }, { inParallel }] = await Promise.all([import("./with-sdk.ts"), import("./by-hand.ts")]);
    return async () => {
      await inParallel(prefixes, async (prefix) => void (await readWithSdk(prefix)));
      return prefixes.length;
    };
  },
  async "signed-http"() {
    const { inParallel, readByHand } = await import("./by-hand.ts");
    return async () => {
      await inParallel(prefixes, async (prefix) => void (await readByHand(prefix)));
      return prefixes.length;
    };
  },
  async "by-hand"() {
    const { collectByHand } = await import("./by-hand.ts");
    return () => collectByHand(flavor);
  },
  async "naive-sdk"() {
    const { collectWithSdk } = await import("./with-sdk.ts");
    return () => collectWithSdk(flavor);
  },
};

const work = await KINDS[kind]?.();
const began = process.cpuUsage();
const done = await work?.();
const { user, system } = process.cpuUsage(began);
const peakMegabytes = process.resourceUsage().maxRSS / 1024;
console.log(JSON.stringify({ cpuMicroseconds: user + system, peakMegabytes, runners: done }));
process.exit(0);
