import type { MetricsEvent } from "../../contract/events.ts";

/** Of the prototype: files by name -> metrics, or what else there is; `kind` tells which. */
export function runnerMetrics(
  storage: string,
  files: Readonly<Record<string, { readonly bytes: Uint8Array; readonly lastModified: number }>>,
): { readonly kind: string };

export function issueEvents(metrics: { readonly kind: string }, flavor: string): MetricsEvent[];
