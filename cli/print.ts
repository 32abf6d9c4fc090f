/** What commands write to stdout. */

/** Columns of the terminal; undefined in a pipe. */
export function terminalColumns(): number | undefined {
  return process.stdout.isTTY ? process.stdout.columns : undefined;
}

/** Lines, without colours. */
export function printLines(lines: readonly string[]): void {
  // One write: thousands of them are slow, and a reader that closes the pipe would fail each.
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
}

/** A JSON document. Characters that a terminal could act on are escaped. */
export function printJson(value: unknown): void {
  const json = JSON.stringify(value, undefined, 2);
  process.stdout.write(
    `${json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)}\n`,
  );
}

/** Text of at most 80 columns, broken at blanks. A word that is longer stays whole. */
export function wrap(text: string, indent = ""): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && indent.length + line.length + 1 + word.length > 80) {
      lines.push(indent + line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return line ? [...lines, indent + line] : lines;
}

/** UTC, to the second: `2026-11-26 13:05:02Z`. */
export function formatTime(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return "-";
  return new Date(milliseconds).toISOString().replace("T", " ").replace(/\.\d+/, "");
}

/** Milliseconds of `90s`, `30m`, `12h` or `7d`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 }[unit];
  return digits && seconds ? Number(digits) * seconds * 1_000 : undefined;
}

/** Shows on stderr how far a long command is, if a person looks at it. */
export function progress(what: string): { (count: number): void; end(): void } {
  const show = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`);
  };
  return Object.assign((count: number) => show(`${count} ${what}`), { end: () => show("") });
}
