import { NOT_COPIED } from "../../contract/quarantine-manifest.ts";
import { QUARANTINE_REASONS } from "../../contract/reasons.ts";
import { escapeText } from "../escape.ts";
import { formatTime, wrap } from "../print.ts";
import type { Assessment } from "./assess.ts";
import { type DescribedQuarantine, QUARANTINE_STATES } from "./list.ts";

/** Objects of a flood that are listed. */
const OBJECTS_SHOWN = 40;

/** A quarantine in plain words, in lines of about 80 columns. Everything that a runner wrote is escaped. */
export function describeQuarantine(one: DescribedQuarantine, assessment: Assessment): string[] {
  const { manifest } = one;
  const head = [
    `flavor         ${one.flavor}`,
    `storage        ${escapeText(manifest?.storage ?? one.storage)}`,
    `quarantined    ${formatTime(one.quarantinedAt)}`,
    `state          ${one.state}: ${QUARANTINE_STATES[one.state]}`,
    `in the bucket  ${one.prefix}`,
  ];
  if (!manifest) return [...head, "", ...wrap(assessment.impossible ?? "")];
  const { reason, file, problems = [] } = manifest;
  const help = QUARANTINE_REASONS[reason];
  return [
    ...head,
    "",
    `Reason: ${reason}${file ? ` (${file})` : ""}`,
    ...wrap(help.meaning, "  "),
    ...problems.flatMap((problem) => wrap(escapeText(problem), "  ")),
    ...wrap(`Cause: ${help.cause}`, "  "),
    ...wrap(`Whose fault: ${help.fault}`, "  "),
    ...wrap(`To do: ${help.action}`, "  "),
    "",
    `Objects: ${manifest.objects.length}`,
    ...manifest.objects.slice(0, OBJECTS_SHOWN).flatMap((object) => {
      const state = object.not_copied ? `not copied: ${NOT_COPIED[object.not_copied]}` : "copied";
      return [
        `  ${escapeText(object.key)}`,
        ...wrap(`${object.size} bytes, uploaded ${object.last_modified}, ${state}`, "    "),
      ];
    }),
    ...(manifest.objects.length > OBJECTS_SHOWN
      ? [`  and ${manifest.objects.length - OBJECTS_SHOWN} more (--json has all)`]
      : []),
    "",
    ...describeAssessment(assessment),
    ...assessment.files.flatMap(({ name, bytes }) => ["", `${name}:`, ...contentLines(bytes)]),
  ];
}

/** What a release would do, in plain words. */
export function describeAssessment({ impossible, again, events, isReady }: Assessment): string[] {
  if (impossible) return wrap(`It can't be released. ${impossible}`);
  const lines: string[] = [];
  if (again?.reason === "job-mismatch") {
    lines.push("A run quarantines it again if GitHub still says that the runner did not do the job.");
  } else if (again) {
    const { reason, file, problems = [] } = again;
    lines.push(
      `If it is released, the next run quarantines it again: ${reason}${file ? ` (${file})` : ""}.`,
      ...problems,
    );
  } else lines.push("If it is released, a run accepts it.");
  if (!isReady) lines.push("It has no post-job file: it is collected when the runner is presumed dead.");
  const wrapped = lines.flatMap((line) => wrap(escapeText(line)));
  return [...wrapped, ...events.map(({ type, event_id }) => `  ${type.padEnd(20)} ${event_id}`)];
}

/** Bytes of a file that are shown: more than an honest one has. */
const CONTENT_MAX = 4_096;
const CONTENT_COLUMNS = 76;

/** The content of a file, escaped, in lines of at most 80 columns. */
function contentLines(bytes: Uint8Array): string[] {
  const text = escapeText(Buffer.from(bytes.subarray(0, CONTENT_MAX)).toString());
  const lines = text.match(new RegExp(`.{1,${CONTENT_COLUMNS}}`, "g")) ?? [];
  const more = bytes.length - CONTENT_MAX;
  return [...lines.map((line) => `  | ${line}`), ...(more > 0 ? [`  and ${more} bytes more`] : [])];
}
