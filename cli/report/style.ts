import { SERIES } from "./charts.ts";

/** The page's style: light and dark, phone, screen and print. Charts take their colors from its variables. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --text: #16202e; --muted: #55617180; --muted: #566172; --line: #dfe3e8; --grid: #e8ebef; --axis: #b3bcc8;
  --accent: #1d4ed8; --tint: #eef3fe;
  --series-1: #2f6fde; --series-2: #c2620a; --series-3: #0b857b; --series-4: #a827c4; --series-5: #64748b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e131b; --card: #171e29; --text: #e7ecf3; --muted: #a3afc0; --line: #2a3443; --grid: #253040; --axis: #4a586c;
    --accent: #8ab4ff; --tint: #1b2739;
    --series-1: #5b94f5; --series-2: #f2a33c; --series-3: #2cc4b2; --series-4: #dd7bf0; --series-5: #94a3b8;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 12px; top: 8px; background: var(--card); padding: 8px 12px; z-index: 1; }
a { color: var(--accent); }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 36px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
.period { margin: 0; color: var(--muted); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(240px, 1fr)); gap: 12px; margin: 22px 0 8px; padding: 0; list-style: none; }
.tiles a { display: flex; flex-direction: column; height: 100%; padding: 14px 16px; border: 1px solid var(--line); border-radius: 10px; background: var(--card); color: inherit; text-decoration: none; }
.tiles a:hover { border-color: var(--accent); }
.tiles a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.tiles .question { font-size: 13px; color: var(--muted); }
.tiles .value { font-size: 25px; font-weight: 650; line-height: 1.35; letter-spacing: -0.01em; }
.tiles .label { font-size: 13px; line-height: 1.4; color: var(--muted); }
section { margin: 18px 0; padding: 24px; border: 1px solid var(--line); border-radius: 12px; background: var(--card); }
h2 { display: flex; gap: 10px; align-items: baseline; margin: 0; font-size: 20px; line-height: 1.3; }
h2 .number { flex: none; color: var(--muted); font-weight: 500; font-variant-numeric: tabular-nums; }
.answer { display: flex; gap: 8px 26px; align-items: center; flex-wrap: wrap; margin: 14px 0 4px; }
.headline { flex: 0 0 230px; margin: 0; }
.headline strong { display: block; font-size: 40px; line-height: 1.15; letter-spacing: -0.02em; }
.headline span { display: block; color: var(--muted); font-size: 14px; line-height: 1.4; }
.summary { flex: 1 1 380px; margin: 0; overflow-wrap: anywhere; }
.summary p { margin: 0 0 3px; }
.charts { display: grid; grid-template-columns: minmax(0, 1fr); gap: 22px; margin-top: 18px; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; font-size: 15px; margin-bottom: 8px; overflow-wrap: anywhere; }
figure svg { display: block; max-width: 100%; height: auto; }
.narrow { display: none; }
.empty { color: var(--muted); margin: 0; }
details { margin-top: 10px; border-top: 1px solid var(--line); }
figure details { border-top: 0; margin-top: 4px; }
summary { padding: 9px 0; cursor: pointer; color: var(--accent); font-size: 14px; width: fit-content; max-width: 100%; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; max-height: 460px; overflow-y: auto; margin-bottom: 10px; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
th, td { padding: 6px 11px; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
td, th[scope=row] { white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--tint); color: var(--muted); font-weight: 600; line-height: 1.35; vertical-align: bottom; }
tbody th { font-weight: 500; }
.text { text-align: left; }
td.text, th.text[scope=row] { white-space: normal; overflow-wrap: anywhere; min-width: 96px; max-width: 380px; }
.more { margin: 0 0 10px; font-size: 13px; color: var(--muted); }
.notes { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 8px 32px; margin-top: 20px; padding-top: 16px; border-top: 1px solid var(--line); font-size: 14px; color: var(--muted); }
.notes h3 { margin: 0 0 4px; font-size: 13px; color: var(--text); }
.notes ul { margin: 0; padding-left: 18px; }
.notes li { margin: 0 0 5px; }
footer { padding-bottom: 40px; color: var(--muted); font-size: 13px; overflow-wrap: anywhere; }
.defs { position: absolute; width: 0; height: 0; }
@media (min-width: 1000px) {
  .charts.pairs { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .charts.pairs > figure:last-child:nth-child(odd) { grid-column: 1 / -1; }
}
@media (max-width: 800px) {
  header, main, footer { padding-left: 12px; padding-right: 12px; }
  header { padding-top: 22px; }
  section { padding: 18px 14px; border-radius: 10px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 8px; }
  .tiles a { padding: 10px 11px; }
  .tiles .value { font-size: 21px; }
  .headline { flex-basis: 100%; }
  .headline strong { font-size: 34px; }
  .summary { flex-basis: 100%; }
  .wide { display: none !important; }
  figure .narrow { display: block; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --text: #000; --muted: #444; --line: #ccc; --grid: #e5e5e5; --axis: #999; --accent: #000; --tint: #f3f3f3;
    --series-1: #2f6fde; --series-2: #c2620a; --series-3: #0b857b; --series-4: #a827c4; --series-5: #64748b; }
  body { font-size: 11pt; }
  section { border: 0; padding: 0; margin: 14pt 0; }
  figure, .answer, h2, tr { break-inside: avoid; }
  h2 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .scroll { overflow: visible; max-height: none; }
  .skip { display: none; }
}
`;

/** Patterns of all series but the first, which is plain: told apart without color, too. */
export const PATTERNS = `<svg class="defs" aria-hidden="true" focusable="false"><defs>${SERIES.slice(1)
  .map(({ color, pattern }, index) => {
    const size = 7;
    const lines = [
      `<path d="M-1 8L8 -1M-1 1L1 -1M6 8L8 6" stroke-width="2.4"/>`,
      `<circle cx="3.5" cy="3.5" r="1.9" style="fill:${color}" stroke="none"/>`,
      `<path d="M0 3.5H7" stroke-width="2.6"/>`,
      `<path d="M0 0L7 7M7 0L0 7" stroke-width="1"/>`,
    ][index];
    return `<pattern id="${pattern}" width="${size}" height="${size}" patternUnits="userSpaceOnUse"><rect width="${size}" height="${size}" style="fill:${color};opacity:.28"/><g style="stroke:${color};fill:none">${lines}</g></pattern>`;
  })
  .join("")}</defs></svg>`;
