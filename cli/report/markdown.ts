import type { Answers } from "./answers.ts";
import { format, visible } from "./format.ts";
import { periodText } from "./page.ts";
import type { Section, Table } from "./section.ts";

/** The report in GitHub's Markdown, for an issue or a chat: headlines, summaries and tables, without charts. */
export function renderMarkdown(answers: Answers, sections: readonly Section[]): string {
  return [
    "# Runner report",
    "",
    inert(periodText(answers)),
    "",
    ...sections.flatMap((section, index) => renderSection(section, index + 1, answers.period.timeZone)),
  ].join("\n");
}

function renderSection(section: Section, number: number, timeZone: string): string[] {
  const { question, headline, summary, charts, tables, definitions, caveats } = section;
  return [
    `## ${number}. ${question}`,
    "",
    `**${inert(headline.value)}** ${inert(headline.label)}`,
    "",
    ...summary.flatMap((line) => [inert(line), ""]),
    ...[...charts.map(({ table }) => table), ...tables].flatMap((table) => renderTable(table, timeZone)),
    ...[...definitions, ...caveats].map((note) => `- ${inert(note)}`),
    "",
  ];
}

/** Longer tables are in the page, CSV and JSON. */
const ROWS_MAX = 20;

function renderTable({ title, columns, rows, more = 0 }: Table, timeZone: string): string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const left = more + Math.max(0, rows.length - ROWS_MAX);
  return [
    `### ${inert(title)}`,
    "",
    line(columns.map(({ title }) => inert(title))),
    line(columns.map(({ unit }) => (unit === "text" ? "---" : "--:"))),
    ...rows
      .slice(0, ROWS_MAX)
      .map((row) => line(columns.map(({ unit }, index) => inert(format(row[index], unit, timeZone))))),
    ...(left > 0 ? ["", `${left} more rows are not shown.`] : []),
    "",
  ];
}

/** Text that Markdown shows as it is: no markup, no HTML, no link, no mention, no new line. */
function inert(text: string): string {
  return (
    visible(text, 3_000)
      .replaceAll(/[\\`*_[\]<>#|~$&]/g, (character) => `&#${character.charCodeAt(0)};`)
      .replaceAll("@", "@\u200b")
      .replaceAll("://", ":&#47;&#47;")
      // GitHub makes links of bare names such as www.example.com.
      .replaceAll(/(?<=[A-Za-z])\.(?=[A-Za-z])/g, "&#46;")
      .replaceAll(/^(?=[-+])/g, "\\")
  );
}
