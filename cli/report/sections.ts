import type { Answers } from "./answers.ts";
import type { Section } from "./section.ts";
import { deathsSection } from "./sections/deaths.ts";
import { poolSection } from "./sections/pool.ts";
import { queueSection } from "./sections/queue.ts";
import { runsSection } from "./sections/runs.ts";
import { trustSection } from "./sections/trust.ts";
import { usageSection } from "./sections/usage.ts";
import { waitsSection } from "./sections/waits.ts";
import { wasteSection } from "./sections/waste.ts";

/** The answers in words, charts and tables, in the order in which an operator asks. */
export function sectionsOf(answers: Answers): Section[] {
  return [
    trustSection,
    queueSection,
    waitsSection,
    runsSection,
    deathsSection,
    wasteSection,
    poolSection,
    usageSection,
  ].map((section) => section(answers));
}
