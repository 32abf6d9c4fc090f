import type { Cell, Unit } from "./section.ts";

/** A value as people read it, in English; a dash if it is not known. */
export function format(value: Cell, unit: Unit, timeZone = "UTC"): string {
  if (value === undefined) return "–";
  if (typeof value === "string") return visible(value);
  switch (unit) {
    case "seconds":
      return formatSeconds(value);
    case "minutes":
      return formatSeconds(value * 60);
    case "hours":
      return `${decimal(value)} h`;
    case "share":
      return formatShare(value);
    case "change":
      return `${value > 0 ? "+" : value < 0 ? "−" : "±"}${Math.round(Math.abs(value) * 100)} %`;
    case "dollars":
      return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
    case "time":
      return formatTime(value, timeZone);
    case "number":
      return decimal(value);
    default:
      return value.toLocaleString("en-US");
  }
}

/** Two units at most: `3.4 s`, `4 min 10 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${decimal(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [large, small, size, part] =
    whole < 3_600
      ? (["min", "s", 60, 1] as const)
      : whole < 86_400
        ? (["h", "min", 3_600, 60] as const)
        : (["d", "h", 86_400, 3_600] as const);
  const parts = Math.round(whole / part);
  const per = size / part;
  const rest = parts % per;
  return `${Math.floor(parts / per)} ${large}${rest > 0 ? ` ${rest} ${small}` : ""}`;
}

/** Never 100 % for less than all, never 0 % for more than none. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent === 100) return `${percent} %`;
  if (percent > 99.9) return "> 99.9 %";
  if (percent < 0.1) return "< 0.1 %";
  return `${percent.toFixed(1)} %`;
}

/** A moment in a time zone, to the minute. */
export function formatTime(seconds: number, timeZone: string): string {
  return new Date(seconds * 1000).toLocaleString("en-GB", {
    timeZone,
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** A day from ISO 8601: `Tue 10 Nov`. */
export function formatDay(day: string): string {
  return new Date(`${day}T12:00:00Z`)
    .toLocaleDateString("en-GB", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" })
    .replace(",", "");
}

export const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;

/** `Tue, 14:00`, from a weekday of which 1 is Monday. */
export function formatWeekHour(weekday: number, hour: number): string {
  return `${WEEKDAYS[weekday - 1] ?? ""}, ${String(hour).padStart(2, "0")}:00`;
}

/** `1 job`, `2 jobs`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? noun : nouns}`;
}

/** Text that may be hostile: characters that are not seen or that reorder others become escapes, and it is cut at 160 characters. */
export function visible(text: string, most = 160): string {
  const shown = Array.from(text.toWellFormed()).slice(0, most + 1);
  const cut = shown.length > most ? [...shown.slice(0, most - 1), "…"] : shown;
  return cut
    .join("")
    .replaceAll(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16).padStart(4, "0")}}`);
}

// Controls, format characters but for the joiner of emoji, and separators that break lines.
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}]|(?!\u200d)\p{Cf}/gu;

function decimal(value: number): string {
  const digits = Math.abs(value) < 9.95 ? 1 : 0;
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
