import type { Cell, Section } from "./section.ts";

/**
 * All tables as one CSV file (RFC 4180, UTF-8), one value a line: `section,table,row,column,unit,value`. `row` counts from 1 in each
 * table. Values are in full: seconds, hours, shares from 0 to 1, dollars. Unknown values have no line.
 */
export function renderCsv(sections: readonly Section[]): string {
  const lines = sections.flatMap(({ id: section, charts, tables }) =>
    [...charts.map(({ table }) => table), ...tables].flatMap(({ id, columns, rows }) =>
      rows.flatMap((row, index) =>
        columns.flatMap(({ key, unit }, column) => {
          const value = row[column];
          return value === undefined ? [] : [[section, id, index + 1, key, unit, value].map(csvCell).join(",")];
        }),
      ),
    ),
  );
  return ["section,table,row,column,unit,value", ...lines, ""].join("\r\n");
}

/**
 * A cell that no spreadsheet evaluates as a formula: such text gets an apostrophe in front.
 * https://owasp.org/www-community/attacks/CSV_Injection
 */
function csvCell(value: Exclude<Cell, undefined>): string {
  if (typeof value === "number") return String(value);
  const inert = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]|^\s|\s$/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

// Spreadsheets skip what is not seen in front of a formula; full-width signs count, too.
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u;
