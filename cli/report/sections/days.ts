import type { Period } from "../answers.ts";

/** All days from the first to the last event, as ISO 8601 in the operator's time zone, and days outside it that have a value. */
export function daysBetween(withValue: readonly string[], { firstEvent, lastEvent, timeZone }: Period): string[] {
  if (firstEvent === undefined || lastEvent === undefined) return [];
  const days = new Set(withValue);
  const end = dayOf(lastEvent, timeZone);
  for (let day = dayOf(firstEvent, timeZone); day <= end && days.size < DAYS_MAX; day = dayAfter(day)) days.add(day);
  return [...days].sort();
}

/** More cannot be drawn. */
const DAYS_MAX = 800;

function dayOf(seconds: number, timeZone: string): string {
  return new Date(seconds * 1000).toLocaleDateString("sv-SE", { timeZone });
}

function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}
