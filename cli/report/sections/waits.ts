import type { Answers } from "../answers.ts";
import { formatSeconds, formatShare, plural } from "../format.ts";
import { type Section, tableOf } from "../section.ts";

/** What do they wait for? */
export function waitsSection({ waits }: Answers): Section {
  const [all] = waits.byFlavor;
  const flavors = waits.byFlavor.filter(({ flavor }) => flavor !== undefined);
  const parts = all
    ? [
        { name: "Machine", value: all.machine },
        { name: "Installation", value: all.installation },
        { name: "Pick-up", value: all.pickUp },
        { name: "Residual", value: all.residual },
      ]
    : [];
  const largest = parts.reduce((most, part) => (part.value > most.value ? part : most), { name: "", value: 0 });
  const newMachine = all && all.machineKnown > 0 ? all.newMachine / all.machineKnown : undefined;
  return {
    id: "waits",
    question: "What do they wait for?",
    headline: {
      value: newMachine === undefined ? "–" : formatShare(newMachine),
      label: "of jobs had to wait for a new machine",
    },
    summary: all
      ? [
          `The mean wait is ${formatSeconds(all.queue)}. Most of it is ${SPOKEN[largest.name] ?? "unknown"}: ${formatSeconds(largest.value)}.`,
          `${plural(all.duringInstallation, "job")} waited for a runner whose installation had already started.`,
        ]
      : ["This needs GitHub's queue time, which is known of no job in this period."],
    charts: [
      {
        title: "Mean wait of a job, in parts",
        drawing: { kind: "waterfall", unit: "seconds", total: "Queue time", parts },
        table: tableOf(
          "waits_by_flavor",
          "Mean wait by flavor",
          [...flavors, ...(all ? [{ ...all, flavor: "all" }] : [])],
          [
            ["flavor", "Flavor", "text", ({ flavor }) => flavor],
            ["jobs", "Jobs", "count", ({ jobs }) => jobs],
            ["machine", "Machine", "seconds", ({ machine }) => machine],
            ["installation", "Installation", "seconds", ({ installation }) => installation],
            ["pick_up", "Pick-up", "seconds", ({ pickUp }) => pickUp],
            ["residual", "Residual", "seconds", ({ residual }) => residual],
            ["queue", "Queue time", "seconds", ({ queue }) => queue],
            [
              "new_machine",
              "Needed a new machine",
              "share",
              ({ machineKnown, newMachine }) => (machineKnown > 0 ? newMachine / machineKnown : undefined),
            ],
          ],
        ),
      },
      {
        title: "Mean wait by flavor",
        drawing: {
          kind: "bars",
          unit: "seconds",
          series: ["Machine", "Installation", "Pick-up", "Residual"],
          rows: flavors.map(({ flavor = "", machine, installation, pickUp, residual }) => ({
            name: flavor,
            values: [machine, installation, pickUp, Math.max(0, residual)],
          })),
        },
        table: tableOf("machines_by_flavor", "Jobs by what they waited for", flavors, [
          ["flavor", "Flavor", "text", ({ flavor }) => flavor],
          ["jobs", "Jobs", "count", ({ jobs }) => jobs],
          ["known", "Known", "count", ({ machineKnown }) => machineKnown],
          ["new_machine", "New machine", "count", ({ newMachine }) => newMachine],
          ["during_installation", "Installation under way", "count", ({ duringInstallation }) => duringInstallation],
          [
            "ready",
            "Runner ready",
            "count",
            ({ machineKnown, newMachine, duringInstallation }) => machineKnown - newMachine - duringInstallation,
          ],
        ]),
      },
    ],
    tables: [],
    definitions: [
      "The wait of a job is split backwards from its start. Pick-up: the runner was ready and the job existed. Installation: the job existed while its runner was being installed. Machine: the rest, before the installation started.",
      "A job needed a new machine if the installation of its runner started after the job was created.",
      "Residual: waits that cannot be split, because the installation is unknown or a clock was set back.",
    ],
    caveats: [
      "The queue time is measured by GitHub's clock and the other times by the runner's. Their difference, and GitHub's rounding to whole seconds, are in the part Machine, or in Pick-up if the runner was ready.",
      "A persistent runner that is busy with another job makes the next one wait: that is residual, too.",
    ],
  };
}

const SPOKEN: Readonly<Record<string, string>> = {
  Machine: "waiting for a machine",
  Installation: "installing the runner",
  "Pick-up": "the runner picking up the job",
  Residual: "not known",
};
