/** A question with its answer in words, charts and tables. Every format of a report is made from a list of these. */
export interface Section {
  /** For anchors and file formats: lower case, with dashes. */
  readonly id: string;
  readonly question: string;
  readonly headline: Headline;
  /** What follows from the numbers: a few lines of one or two sentences. */
  readonly summary: readonly string[];
  readonly charts: readonly Chart[];
  /** Tables without a chart. */
  readonly tables: readonly Table[];
  /** How the numbers are defined. */
  readonly definitions: readonly string[];
  /** What the numbers do not say. */
  readonly caveats: readonly string[];
}

/** The one number that answers the question. */
export interface Headline {
  readonly value: string;
  readonly label: string;
}

/** A chart and the numbers that it shows. */
export interface Chart {
  readonly title: string;
  readonly drawing: Drawing;
  readonly table: Table;
}

/** Numbers for a chart: what `charts.ts` can draw. Text in it is shown as it is, so it has to be short. */
export type Drawing =
  | {
      /** Horizontal bars, one row for each name; the parts of a row are stacked. */
      readonly kind: "bars";
      readonly unit: Unit;
      readonly max?: number;
      readonly series: readonly string[];
      readonly rows: readonly { readonly name: string; readonly values: readonly number[] }[];
    }
  | {
      /** Stacked columns by day. */
      readonly kind: "days";
      readonly unit: Unit;
      readonly series: readonly string[];
      /** All days, in order, as ISO 8601. */
      readonly rows: readonly { readonly day: string; readonly values: readonly number[] }[];
    }
  | {
      /** Lines over numbers or days. */
      readonly kind: "lines";
      readonly unit: Unit;
      readonly xTitle: string;
      readonly xType: "number" | "day";
      readonly isLogarithmic?: boolean;
      readonly max?: number;
      /** A horizontal line. */
      readonly target?: number;
      readonly series: readonly string[];
      readonly points: readonly { readonly x: number | string; readonly series: string; readonly y: number }[];
    }
  | {
      /** Parts that add up to a whole, from left to right. */
      readonly kind: "waterfall";
      readonly unit: Unit;
      readonly total: string;
      readonly parts: readonly { readonly name: string; readonly value: number }[];
    }
  | {
      /** Hours by weekdays. */
      readonly kind: "week";
      readonly cells: readonly { readonly weekday: number; readonly hour: number; readonly value: number }[];
    };

/** A table of numbers. Every row has a cell for each column; an absent cell is not known. */
export interface Table {
  readonly id: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** Rows that exist and are left out. */
  readonly more?: number;
}

export interface Column {
  /** For file formats: lower case, with underscores. */
  readonly key: string;
  readonly title: string;
  readonly unit: Unit;
}

/** `text` may come from runners and is never trusted. */
export type Unit =
  | "text"
  | "count"
  | "seconds"
  | "hours"
  | "minutes"
  | "share"
  | "change"
  | "dollars"
  | "number"
  | "time";

export type Cell = string | number | undefined;

/** Makes a table from rows and, for each column, its key, title, unit and how to get it from a row. */
export function tableOf<Row>(
  id: string,
  title: string,
  rows: readonly Row[],
  columns: readonly (readonly [key: string, title: string, unit: Unit, get: (row: Row) => Cell])[],
  more?: number,
): Table {
  return {
    id,
    title,
    columns: columns.map(([key, title, unit]) => ({ key, title, unit })),
    rows: rows.map((row) => columns.map(([, , , get]) => get(row))),
    ...(more !== undefined && more > 0 && { more }),
  };
}
