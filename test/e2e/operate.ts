/**
 * The runbook on a deployed stack: `npm run test:all -- operate`. For each alarm it creates the cause on an emulator, runs the commands of
 * its section as they are written there, and sees the alarm's metric show the problem and its end. The emulator is started without
 * policies: what is denied is denied by a proxy before its S3. With names of alarms as arguments, only these are rehearsed.
 */
import assert from "node:assert/strict";
import { ALARM_HELP, OUTPUTS_IN_COMMANDS } from "../../contract/runbook.ts";
import { resources, synthesize } from "../infra/synthesize.ts";
import { type AlarmWatch, watchAlarms } from "./alarm-watch.ts";
import { type OperatedStack, operatedStack } from "./operated-stack.ts";
import { NOT_REHEARSED, REHEARSALS, type Rehearsal } from "./rehearsals.ts";
import { rehearseReplay } from "./replay.ts";

const INTERVAL_MINUTES = 60;
const LIMITS = { queueSeconds: 300, failedInstallations: 3, busyHours: 1 };
/** Of alarms with metric math, with which the emulator fails the deployment. */
const MATH_LIMITS = { lostPercent: 5, nothingExtractedHours: 1 };

/** The schedules do nothing here: the commands start the runs. */
const SETTINGS = {
  flavors: {
    large: { everyMinutes: INTERVAL_MINUTES, alarms: LIMITS },
    watched: { everyMinutes: INTERVAL_MINUTES, githubRunners: "acme" },
  },
  endedInstances: true,
  removalPolicy: "destroy",
} as const;

const began = Date.now();
const deployed = await operatedStack(SETTINGS);
try {
  const template = synthesize({ flavors: { large: { alarms: MATH_LIMITS } } });
  const watch = await watchAlarms({
    ...deployed,
    intervalSeconds: INTERVAL_MINUTES * 60,
    further: Object.values(resources(template, "AWS::CloudWatch::Alarm")).flatMap(({ Properties }) =>
      Properties.Metrics ? [Properties] : [],
    ),
  });
  tell("deployed", `bucket ${deployed.outputs.BucketName}, alarms ${watch.names.length}`);
  await rehearseAll(watch, process.argv.slice(2));
  watch.close();
} finally {
  await deployed.stop();
}

/** All, or only these. */
async function rehearseAll(watch: AlarmWatch, only: readonly string[]): Promise<void> {
  const stack: OperatedStack = {
    ...deployed,
    async command(line, code) {
      const output = await deployed.command(line, code);
      await watch.read(isOfCompletedRun(output) ? 1 : 0);
      return output;
    },
  };
  const isWanted = (name: string) => only.length === 0 || only.includes(name);
  assert.deepEqual(watch.names.toSorted(), [...Object.keys(REHEARSALS), ...Object.keys(NOT_REHEARSED)].toSorted());
  for (const [name, rehearsal] of Object.entries(REHEARSALS)) {
    if (isWanted(name)) tell(name, await rehearse(name, rehearsal, stack, watch));
  }
  if (isWanted("replay")) tell("replay", await rehearseReplay(stack));
  for (const [name, reason] of Object.entries(NOT_REHEARSED)) tell(name, `not rehearsed: ${reason}`);
}

async function rehearse(
  name: string,
  { flavor = "large", ...rehearsal }: Rehearsal,
  stack: OperatedStack,
  watch: AlarmWatch,
): Promise<string> {
  const { look = [], after = [] } = ALARM_HELP[name] ?? {};
  const expectState = async (expected: boolean) => {
    await watch.read(0);
    assert.equal(await watch.isInAlarm(name, flavor), expected, `${name} is ${expected ? "OK" : "in ALARM"}`);
  };
  // Nothing has run yet.
  if (name !== "NoRun") await expectState(false);

  await rehearsal.cause(stack);
  await expectState(true);
  const [{ id = "" } = {}] = rehearsal.list ? JSON.parse(await stack.command(rehearsal.list)) : [];
  const named = {
    ...{ FLAVOR: flavor, RUNNER: rehearsal.runner ?? "", ID: id },
    ...Object.fromEntries(Object.entries(OUTPUTS_IN_COMMANDS).map(([word, name]) => [word, stack.outputs[name]])),
  };
  let shown = "";
  for (const line of look) shown += await stack.command(filledIn(line, named));
  for (const pattern of rehearsal.shows) assert.match(shown, pattern, name);

  await rehearsal.cure(stack);
  assert.equal(after.length, rehearsal.after?.length ?? 0, name);
  for (const [index, line] of after.entries()) await stack.command(filledIn(line, named), rehearsal.after?.[index]);
  await rehearsal.later?.(stack);
  await expectState(false);
  stack.faults.clear();
  await stack.remove("runners/");
  return `commands that showed it: ${look.length}, that ended it: ${after.length}`;
}

/** Whether `run` or `redrive` printed it: it has started a run, which did not fail. */
function isOfCompletedRun(output: string): boolean {
  return /^flavor +[a-z]+\nlisted /m.test(output) || / run {2}done$/m.test(output);
}

function filledIn(line: string, named: Readonly<Record<string, string | undefined>>): string {
  return line.replace(/\b[A-Z][A-Z_]+\b/g, (word) => named[word] ?? word);
}

function tell(what: string, details: string): void {
  console.log(`${`${((Date.now() - began) / 1_000).toFixed(1)} s`.padStart(7)}  ${what}: ${details}`);
}
