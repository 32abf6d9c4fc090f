import { escapeText } from "./escape.ts";

/** How a table is laid out. */
export interface TableOptions {
  /** Columns of the terminal; absent in a pipe, where no cell is shortened. */
  readonly columns?: number | undefined;
}

/** A cell is not shortened below this. */
const CELL_MIN = 8;

/**
 * Lines of a table: a heading and one line for each row, in columns as wide as their cells. Cells are escaped. If a line would be wider
 * than the terminal, the widest columns are shortened in the middle.
 */
export function table(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  { columns }: TableOptions = {},
): string[] {
  const escaped = [heading, ...rows].map((row) => row.map(escapeText));
  const widths = heading.map((_, index) => escaped.reduce((most, row) => Math.max(most, row[index]?.length ?? 0), 0));
  const gaps = 2 * (widths.length - 1);
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width, gaps) - (columns ?? Number.POSITIVE_INFINITY);
    const widest = Math.max(...widths);
    if (excess <= 0 || widest <= CELL_MIN) break;
    const second = Math.max(CELL_MIN, ...widths.filter((width) => width < widest));
    const index = widths.indexOf(widest);
    widths[index] = Math.max(CELL_MIN, widest - excess, Math.min(second, widest - 1));
  }
  return escaped.map((row) =>
    row
      .map((cell, index) => shorten(cell, widths[index] ?? 0).padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function shorten(cell: string, width: number): string {
  if (cell.length <= width) return cell;
  const end = Math.floor((width - 2) / 2);
  return `${cell.slice(0, width - 2 - end)}..${cell.slice(cell.length - end)}`;
}
