import type { Answers } from "./answers.ts";
import { drawChart } from "./charts.ts";
import { escapeHtml } from "./escape.ts";
import { format, formatTime, plural, visible } from "./format.ts";
import type { Chart, Section, Table } from "./section.ts";
import { PATTERNS, STYLE } from "./style.ts";

/**
 * The report as one HTML page that needs nothing else: no script, no request (its policy forbids both). All text that comes from runners
 * is escaped, and characters that are not seen are shown as escapes.
 */
export async function renderPage(answers: Answers, sections: readonly Section[]): Promise<string> {
  const parts: string[] = [];
  for (const [index, section] of sections.entries())
    parts.push(await renderSection(section, index + 1, answers.period.timeZone));
  const { period } = answers;
  const when = periodText(answers);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="runner-metrics">
<title>Runner report, ${text(when)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the answers</a>
${PATTERNS}
<header>
<h1>Runner report</h1>
<p class="period">${text(when)}<br>${text(
    period.flavors.length === 0
      ? "No events"
      : `${plural(period.jobs, "job")} on ${plural(period.flavors.length, "flavor")}: ${period.flavors.slice(0, 12).join(", ")}`,
  )}</p>
<nav aria-label="Questions"><ul class="tiles">
${sections.map(renderTile).join("\n")}
</ul></nav>
</header>
<main id="main">
${parts.join("\n")}
</main>
<footer><p>Times are in ${text(period.timeZone)}. A dash means: not known. Made by runner-metrics from its archive of events.</p></footer>
</body>
</html>
`;
}

/** The period, as people read it. */
export function periodText({ period: { from, until, firstEvent, lastEvent, timeZone } }: Answers): string {
  const first = firstEvent === undefined ? from : Math.max(from, firstEvent);
  const last = lastEvent === undefined ? until : Math.min(until, lastEvent);
  return `${formatTime(first, timeZone)} to ${formatTime(last, timeZone)} (${timeZone})`;
}

function text(value: string): string {
  // A number stays on the line of its unit.
  return escapeHtml(visible(value, TEXT_MAX).replaceAll(/(?<=\d) (?=(?:%|s|min|h|d)(?![\p{L}\d]))/gu, "\u00a0"));
}

/** Sentences are ours; the names in them are cut before. */
const TEXT_MAX = 3_000;

function renderTile({ id, question, headline }: Section): string {
  return `<li><a href="#${id}"><span class="question">${text(question)}</span><span class="value">${text(headline.value)}</span><span class="label">${text(headline.label)}</span></a></li>`;
}

async function renderSection(section: Section, number: number, timeZone: string): Promise<string> {
  const { id, question, headline, summary, charts, tables, definitions, caveats } = section;
  const figures: string[] = [];
  for (const chart of charts) figures.push(await renderFigure(chart, charts.length === 1, timeZone));
  return `<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title"><span class="number">${number}</span> ${text(question)}</h2>
<div class="answer"><p class="headline"><strong>${text(headline.value)}</strong><span>${text(headline.label)}</span></p>
<div class="summary">${summary.map((line) => `<p>${text(line)}</p>`).join("")}</div></div>
<div class="charts${charts.length > 1 ? " pairs" : ""}">
${figures.join("\n")}
</div>
${tables.map((table) => renderTable(table, table.title, timeZone)).join("\n")}
<div class="notes"><div><h3>Definitions</h3>${list(definitions)}</div><div><h3>Keep in mind</h3>${list(caveats)}</div></div>
</section>`;
}

function list(items: readonly string[]): string {
  return `<ul>${items.map((item) => `<li>${text(item)}</li>`).join("")}</ul>`;
}

async function renderFigure({ title, drawing, table }: Chart, isAlone: boolean, timeZone: string): Promise<string> {
  const isEmpty = table.rows.length === 0;
  const { wide, narrow } = isEmpty ? { wide: "", narrow: "" } : await drawChart(drawing, isAlone);
  const picture = isEmpty
    ? `<p class="empty">There is nothing to show.</p>`
    : `<div role="img" aria-label="${text(`${title}. The table below has the numbers.`)}"><div class="wide">${wide}</div><div class="narrow">${narrow}</div></div>`;
  return `<figure><figcaption>${text(title)}</figcaption>
${picture}
${isEmpty ? "" : renderTable(table, `Numbers: ${table.title}`, timeZone)}</figure>`;
}

function renderTable({ title, columns, rows, more }: Table, summary: string, timeZone: string): string {
  if (rows.length === 0) return "";
  const head = columns.map(
    ({ title, unit }) => `<th scope="col"${unit === "text" ? ' class="text"' : ""}>${text(title)}</th>`,
  );
  const body = rows.map((row) => {
    const cells = columns.map(({ unit }, index) => {
      const shown = escapeHtml(format(row[index], unit, timeZone));
      const attribute = unit === "text" ? ' class="text"' : "";
      return index === 0
        ? `<th scope="row"${attribute}><bdi>${shown}</bdi></th>`
        : `<td${attribute}>${unit === "text" ? `<bdi>${shown}</bdi>` : shown}</td>`;
    });
    return `<tr>${cells.join("")}</tr>`;
  });
  return `<details><summary>${text(summary)}</summary>
<div class="scroll" tabindex="0" role="region" aria-label="${text(title)}"><table><caption>${text(title)}</caption>
<thead><tr>${head.join("")}</tr></thead>
<tbody>
${body.join("\n")}
</tbody></table></div>${more === undefined ? "" : `<p class="more">${text(`${more.toLocaleString("en-US")} more rows are not shown.`)}</p>`}</details>`;
}
