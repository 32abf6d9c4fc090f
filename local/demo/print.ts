/** What the demo prints: with colours on a terminal, in plain lines elsewhere. */
import { styleText } from "node:util";
import type { Summary } from "../../functions/run/summary.ts";
import type { ReceivedEvent } from "./receive-events.ts";

export function title(text: string): void {
  console.log(`\n${styleText("bold", text)}`);
}

export function say(text: string): void {
  console.log(`  ${text}`);
}

/** A line for each runner of the fleet. */
export function printMember({ runner, story }: { runner: string; story: string }): void {
  const colour = story.startsWith("hostile") ? "red" : "green";
  say(`${styleText(colour, runner.padEnd(12))} ${story}`);
}

/** A line for each event, by runner and time. */
export function printEvents(events: readonly ReceivedEvent[]): void {
  const order = ({ detail }: ReceivedEvent) => `${detail.runner_name} ${detail.timestamp} ${detail.event}`;
  for (const event of events.toSorted((one, other) => (order(one) < order(other) ? -1 : 1))) printEvent(event);
}

function printEvent({ detailType, detail }: ReceivedEvent): void {
  const {
    runner_name,
    event: _,
    event_id,
    schema_version: __,
    flavor: ___,
    timestamp: ____,
    quarantine_prefix,
    ...facts
  } = detail;
  const colour = detailType === "MetricsQuarantined" ? "red" : "cyan";
  const told = Object.entries(facts).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  say(`${String(runner_name).padEnd(12)} ${styleText(colour, detailType.padEnd(18))} ${told.join(" ")}`);
}

/** What became of every runner, in the words of the summary. */
export function printSummary(summary: Summary): void {
  const { listed, extracted, incomplete, quarantined, excluded, notReady, deferred, vanished } = summary;
  say(`listed ${listed} = extracted ${extracted} + incomplete ${incomplete} + quarantined ${quarantined}`);
  say(`         + excluded ${excluded} + not ready ${notReady} + deferred ${deferred} + vanished ${vanished}`);
  const { deleted, changed, denied, failed } = summary.objects;
  say(`objects: ${deleted} deleted, ${changed} changed meanwhile, ${denied + failed} could not be deleted`);
  for (const error of summary.errors) say(styleText("red", error));
}

/** What GitHub said of each runner's job, and which claims it contradicted. */
export function printVerifications(events: readonly ReceivedEvent[], summary: Summary): void {
  const ofJobs = (type: string) => events.filter(({ detailType }) => detailType === type);
  for (const { detail } of ofJobs("RunnerStart")) {
    const end = [...ofJobs("RunnerStop"), ...ofJobs("RunnerLost")].find(
      (stop) => stop.detail.runner_name === detail.runner_name,
    );
    const queued = `queued ${detail.queue_duration ?? "?"} s`;
    say(`${String(detail.runner_name).padEnd(12)} ${detail.verification}: ${queued}, ${end?.detail.job_conclusion}`);
  }
  for (const { runner_name, reason } of summary.quarantines.filter(({ reason }) => reason === "job-mismatch")) {
    say(
      `${runner_name.padEnd(12)} ${styleText("red", reason)}: GitHub says that it did no job of the run that it claims`,
    );
  }
  say(`${summary.github?.requests} calls; ${summary.github?.rateLimit?.remaining} left in this hour.`);
}
