import type { TopLevelSpec } from "vega-lite";
import { format, formatDay, formatSeconds, formatShare, visible, WEEKDAYS } from "./format.ts";
import type { Drawing, Unit } from "./section.ts";

/** A chart as SVG, once for wide and once for narrow screens: text has the same size in both. */
export interface DrawnChart {
  readonly wide: string;
  readonly narrow: string;
}

/** Draws a chart as SVG, alone or next to another one. Colors and patterns are defined by the page; all text is escaped. */
export async function drawChart(drawing: Drawing, isAlone: boolean): Promise<DrawnChart> {
  return {
    wide: await draw(drawing, isAlone ? WIDTHS.alone : WIDTHS.pair),
    narrow: await draw(drawing, WIDTHS.narrow),
  };
}

/** In pixels, of the whole chart. */
const WIDTHS = { alone: 1_000, pair: 505, narrow: 318 } as const;

const NARROW = 400;

/** Series differ in color and pattern. Names are those of the page's style and patterns. */
export const SERIES = [1, 2, 3, 4, 5].map((number) => ({
  color: `var(--series-${number})`,
  pattern: `series-${number}`,
  fill: number === 1 ? "var(--series-1)" : `url(#series-${number})`,
}));
const DASHES = [
  [1, 0],
  [7, 3],
  [2, 2],
  [8, 3, 2, 3],
  [1, 3],
];
const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"];

async function draw(drawing: Drawing, width: number): Promise<string> {
  const [{ compile }, vega] = await Promise.all([import("vega-lite"), import("vega")]);
  // Without a canvas Vega takes all characters for as wide as they are high.
  const { textMetrics } = vega as unknown as {
    textMetrics: { width: (item: { fontSize?: number }, text: unknown) => number };
  };
  textMetrics.width = ({ fontSize = 12 }, text) => textWidth(String(text ?? ""), fontSize);
  vega.expressionFunction("inUnit", (value: number, unit: Unit) => axisLabel(value, unit));
  vega.expressionFunction("asDay", (day: string) => formatDay(day).slice(4));
  const specification = { ...COMMON, width, ...specificationOf(drawing, width) } as unknown as TopLevelSpec;
  // Chart widths need no browser; warnings about that are noise.
  const { spec } = compile(specification, { logger: vega.logger(vega.None) });
  const view = new vega.View(vega.parse(spec), { renderer: "none", logger: vega.logger(vega.None) });
  try {
    return (await view.toSVG()).replace(/<svg /, '<svg aria-hidden="true" focusable="false" ');
  } finally {
    view.finalize();
  }
}

/** In pixels, for the widest of the page's fonts. */
function textWidth(text: string, fontSize: number): number {
  return Array.from(text).reduce((sum, character) => sum + widthOf(character), 0) * fontSize;
}

function widthOf(character: string): number {
  if (/[ijlftI.,:;'|!()\- ]/.test(character)) return 0.36;
  if (/[mwMW@%÷]/.test(character)) return 0.95;
  if (/[A-Z]/.test(character)) return 0.7;
  return (character.codePointAt(0) ?? 0) < 0x2000 ? 0.62 : 1;
}

const COMMON = {
  background: null,
  autosize: { type: "fit-x", contains: "padding" },
  padding: { left: 2, right: 6, top: 4, bottom: 2 },
  config: {
    aria: false,
    font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
    view: { stroke: null },
    axis: {
      labelColor: "var(--muted)",
      titleColor: "var(--muted)",
      titleFontWeight: "normal",
      gridColor: "var(--grid)",
      domainColor: "var(--axis)",
      tickColor: "var(--axis)",
      labelFontSize: 12,
      titleFontSize: 12,
      labelPadding: 5,
    },
    legend: {
      orient: "top",
      title: null,
      labelColor: "var(--text)",
      labelFontSize: 12,
      symbolSize: 130,
      symbolStrokeWidth: 1.5,
      columnPadding: 14,
      offset: 8,
      labelLimit: 240,
    },
    text: { fill: "var(--text)", fontSize: 12 },
  },
};

type Of<Kind extends Drawing["kind"]> = Extract<Drawing, { kind: Kind }>;

function specificationOf(drawing: Drawing, width: number): object {
  switch (drawing.kind) {
    case "bars":
      return bars(drawing, width);
    case "days":
      return days(drawing, width);
    case "lines":
      return lines(drawing, width);
    case "waterfall":
      return waterfall(drawing, width);
    case "week":
      return week(drawing, width);
  }
}

function bars({ unit, series, rows, max }: Of<"bars">, width: number): object {
  const isNarrow = width < NARROW;
  const values = rows.flatMap(({ name, values }) =>
    values.map((value, index) => ({ name: shorten(name, isNarrow), series: series[index] ?? "", order: index, value })),
  );
  const totals = rows.map(({ name, values }) => {
    const total = values.reduce((sum, value) => sum + value, 0);
    return { name: shorten(name, isNarrow), total, label: format(total, unit) };
  });
  const largest = max ?? Math.max(0, ...totals.map(({ total }) => total));
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    axis: { title: null, labelColor: "var(--text)", labelLimit: isNarrow ? 140 : 260, ticks: false, domain: false },
  };
  return {
    height: { step: 30 },
    layer: [
      {
        data: { values },
        mark: { type: "bar", height: { band: 0.68 }, stroke: "var(--card)", strokeWidth: 1 },
        encoding: {
          y,
          x: {
            field: "value",
            type: "quantitative",
            scale: { domain: [0, (largest || 1) * roomForLabel(width)], nice: false },
            axis: valueAxis(largest, unit, ticksIn(width)),
          },
          ...seriesFill(series, width),
          order: { field: "order" },
        },
      },
      {
        data: { values: totals },
        mark: { type: "text", align: "left", dx: 5 },
        encoding: { y, x: { field: "total", type: "quantitative" }, text: { field: "label", type: "nominal" } },
      },
    ],
  };
}

function days({ unit, series, rows }: Of<"days">, width: number): object {
  const largest = Math.max(0, ...rows.map(({ values }) => values.reduce((sum, value) => sum + value, 0)));
  return {
    height: 200,
    data: {
      values: rows.flatMap(({ day, values }) =>
        values.map((value, index) => ({ day, series: series[index] ?? "", order: index, value })),
      ),
    },
    mark: { type: "bar", width: { band: 0.78 } },
    encoding: {
      x: dayAxis(
        rows.map(({ day }) => day),
        width,
      ),
      y: {
        field: "value",
        type: "quantitative",
        scale: { domain: [0, largest || 1] },
        axis: valueAxis(largest, unit, 4),
      },
      ...seriesFill(series, width),
      order: { field: "order" },
    },
  };
}

function lines(drawing: Of<"lines">, width: number): object {
  const { unit, series, points, xTitle, xType, isLogarithmic, target } = drawing;
  const ys = points.map(({ y }) => y);
  const largest = drawing.max ?? Math.max(0, ...ys, target ?? 0);
  const least = LOGARITHMIC_SECONDS.findLast((step) => step <= Math.min(...ys)) ?? 1;
  const scale = isLogarithmic
    ? { type: "log", clamp: true, domain: [least, Math.max(largest, least * 2)], nice: false }
    : { domain: [0, largest || 1] };
  const xs = points.map(({ x }) => x);
  const x =
    xType === "day"
      ? dayAxis([...new Set(xs as string[])].sort(), width)
      : {
          field: "x",
          type: "quantitative",
          scale: { nice: false, zero: false, padding: 8 },
          axis: { title: xTitle, tickMinStep: 1, format: "d", grid: false, tickCount: width < NARROW ? 6 : 12 },
        };
  const domain = series;
  const legend = { columns: width < NARROW ? 2 : 5, symbolSize: 90 };
  return {
    height: 220,
    layer: [
      ...(target === undefined
        ? []
        : [
            {
              data: { values: [{ target }] },
              mark: { type: "rule", color: "var(--axis)", strokeDash: [4, 4] },
              encoding: { y: { field: "target", type: "quantitative" } },
            },
          ]),
      {
        data: { values: points.map((point) => ({ ...point, day: point.x })) },
        mark: { type: "line", strokeWidth: 2, point: { filled: true, size: xType === "day" ? 26 : 50 } },
        encoding: {
          x,
          y: {
            field: "y",
            type: "quantitative",
            scale,
            axis: valueAxis(largest, unit, 5, isLogarithmic ? least : undefined),
          },
          color: {
            field: "series",
            type: "nominal",
            scale: { domain, range: SERIES.map(({ color }) => color) },
            legend,
          },
          strokeDash: { field: "series", type: "nominal", scale: { domain, range: DASHES }, legend },
          shape: { field: "series", type: "nominal", scale: { domain, range: SHAPES }, legend },
        },
      },
    ],
  };
}

function waterfall({ unit, parts, total }: Of<"waterfall">, width: number): object {
  const isNarrow = width < NARROW;
  let before = 0;
  const values = parts.map(({ name, value }, order) => {
    const from = before;
    before += value;
    return { name, order, from, to: before, label: format(value, unit), kind: "part" };
  });
  values.push({ name: total, order: values.length, from: 0, to: before, label: format(before, unit), kind: "total" });
  const y = {
    field: "name",
    type: "nominal",
    sort: null,
    axis: { title: null, labelColor: "var(--text)", ticks: false, domain: false, labelLimit: isNarrow ? 110 : 200 },
  };
  return {
    height: { step: 34 },
    data: { values },
    layer: [
      {
        mark: { type: "bar", height: { band: 0.62 } },
        encoding: {
          y,
          x: {
            field: "from",
            type: "quantitative",
            scale: { domain: [0, (before || 1) * roomForLabel(width)], nice: false },
            axis: valueAxis(before, unit, ticksIn(width)),
          },
          x2: { field: "to" },
          fill: {
            field: "kind",
            type: "nominal",
            scale: { domain: ["part", "total"], range: [SERIES[0]?.fill, SERIES[1]?.fill] },
            legend: null,
          },
        },
      },
      {
        mark: { type: "text", align: "left", dx: 5 },
        encoding: { y, x: { field: "to", type: "quantitative" }, text: { field: "label" } },
      },
    ],
  };
}

function week({ cells }: Of<"week">, width: number): object {
  const largest = Math.max(1, ...cells.map(({ value }) => value));
  const values = cells.map(({ weekday, hour, value }) => ({
    day: WEEKDAYS[weekday - 1] ?? "",
    hour: String(hour).padStart(2, "0"),
    value,
    label: String(value),
  }));
  const hours = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, "0"));
  const day = { field: "day", type: "nominal", scale: { domain: WEEKDAYS }, axis: { ...CELL_AXIS, labelAngle: 0 } };
  const hour = { field: "hour", type: "nominal", scale: { domain: hours }, axis: { ...CELL_AXIS, labelAngle: 0 } };
  // Hours go down where there is no room for 24 columns.
  const [x, y] = width < NARROW ? [{ ...day, axis: { ...day.axis, orient: "top" } }, hour] : [hour, day];
  return {
    height: { step: width < NARROW ? 17 : 24 },
    data: { values },
    layer: [
      {
        mark: { type: "rect", fill: "var(--series-1)", stroke: "var(--card)", strokeWidth: 1.5, cornerRadius: 2 },
        encoding: {
          x,
          y,
          fillOpacity: {
            field: "value",
            type: "quantitative",
            scale: { domain: [0, largest], range: [0.05, 0.55] },
            legend: null,
          },
        },
      },
      { mark: { type: "text", fontSize: 11 }, encoding: { x, y, text: { field: "label", type: "nominal" } } },
    ],
  };
}

/** The longest bar leaves room for its number. */
function roomForLabel(width: number): number {
  return width < NARROW ? 1.4 : width < WIDTHS.alone ? 1.24 : 1.1;
}

function ticksIn(width: number): number {
  return width < NARROW ? 3 : width < WIDTHS.alone ? 4 : 8;
}

const CELL_AXIS = { title: null, ticks: false, domain: false, labelPadding: 4 };

function seriesFill(series: readonly string[], width: number): object {
  const fill = {
    field: "series",
    type: "nominal",
    scale: { domain: series, range: SERIES.map(({ fill }) => fill) },
    legend: series.length > 1 ? { columns: width < NARROW ? 2 : 5, symbolType: "square", symbolStrokeWidth: 0 } : null,
  };
  return { fill };
}

function dayAxis(days: readonly string[], width: number): object {
  const mondays = days.filter((day) => new Date(`${day}T12:00:00Z`).getUTCDay() === 1);
  const marked = mondays.length > 0 ? mondays : days.slice(0, 1);
  const every = Math.ceil(marked.length / (width < NARROW ? 4 : width < WIDTHS.alone ? 6 : 12));
  return {
    field: "day",
    type: "ordinal",
    scale: { domain: days },
    axis: {
      title: null,
      values: marked.filter((_, index) => index % every === 0),
      labelExpr: "asDay(datum.value)",
      labelAngle: 0,
      labelAlign: "left",
      grid: true,
      ticks: false,
    },
  };
}

/** Ticks at round values: a minute, not 50 s. `least` is given for logarithmic axes. */
function valueAxis(largest: number, unit: Unit, count: number, least?: number): object {
  const values =
    least === undefined
      ? steps(largest, unit, count)
      : LOGARITHMIC_SECONDS.filter((value) => value >= least && value <= largest);
  return { title: null, values, labelExpr: `inUnit(datum.value, '${unit}')`, domain: false, ticks: false };
}

const LOGARITHMIC_SECONDS = [1, 10, 30, 60, 300, 900, 3_600, 14_400, 43_200, 172_800, 1_728_000];

const SECONDS_STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400,
];

function steps(largest: number, unit: Unit, count: number): number[] {
  const isTime = unit === "seconds" && largest < 86_400 * count;
  const power = 10 ** Math.floor(Math.log10((largest || 1) / count));
  const round = [1, 2, 5, 10].map((factor) => factor * power).filter((step) => unit !== "count" || step >= 1);
  const candidates = isTime ? SECONDS_STEPS : round.length > 0 ? round : [1];
  const step = candidates.find((step) => step * count >= largest) ?? candidates.at(-1) ?? 1;
  return Array.from({ length: Math.floor(largest / step + 1e-9) + 1 }, (_, index) => index * step);
}

function axisLabel(value: number, unit: Unit): string {
  if (value === 0) return unit === "dollars" ? "$0" : unit === "share" ? "0 %" : "0";
  if (unit === "seconds") return formatSeconds(value);
  if (unit === "dollars") return `$${value.toLocaleString("en-US")}`;
  if (unit === "hours") return `${value.toLocaleString("en-US")} h`;
  return unit === "share" ? formatShare(value).replace(".0 %", " %") : value.toLocaleString("en-US");
}

function shorten(name: string, isNarrow: boolean): string {
  return visible(name, isNarrow ? 22 : 40);
}
