import type { Call, HttpReply } from "./http.ts";

/** What a hook gets to see of a request. */
export interface FaultRequest extends Pick<Call, "service" | "operation" | "bucket" | "key" | "keys"> {
  /** Which request of this operation on this bucket and key it is since the hook was set; the first is 1. */
  readonly attempt: number;
}

/** Something that goes wrong with one request. `delayMs` may precede any of them. */
export type Fault = { readonly delayMs?: number } & (
  | { readonly kind: "delay"; readonly delayMs: number }
  /** An error answer; with `afterEffect` the request was carried out all the same. */
  | { readonly kind: "error"; readonly status: number; readonly code: string; readonly afterEffect?: boolean }
  /** The connection is reset; with `afterEffect` the request was carried out, and only the answer is lost. */
  | { readonly kind: "reset"; readonly afterEffect?: boolean }
  /** Nothing is ever answered. */
  | { readonly kind: "stall"; readonly afterEffect?: boolean }
  /** The connection breaks `missingBytes` before the end of the body that was announced. */
  | { readonly kind: "short-body"; readonly missingBytes: number }
  /** The headers come, the body never does. */
  | { readonly kind: "stalled-body" }
  /**
   * The body has `extraBytes` more than the object: in `chunked` transfer without any length, or with the true
   * `content-length`, or with the object's own length, after which the surplus garbles the connection (`lie`).
   */
  | {
      readonly kind: "long-body";
      readonly extraBytes: number;
      readonly announced: "chunked" | "content-length" | "lie";
    }
  /** CopyObject answers 200 with an error in the body, and nothing is copied. */
  | { readonly kind: "error-inside-success"; readonly code: string }
  /** The request is carried out, unless `withoutEffect`, and its answer is changed on its way. */
  | { readonly kind: "changed-answer"; readonly withoutEffect?: boolean; change(reply: HttpReply): HttpReply }
  /** PutEvents: the entries at these indexes fail with these codes; only the others are accepted. */
  | { readonly kind: "failed-entries"; readonly codes: Readonly<Record<number, string>> }
);

/** Decides about one request, before it is carried out. */
export type FaultHook = (request: FaultRequest) => Fault | undefined;

/** What goes wrong. Without a hook nothing does. */
export interface Faults {
  /** Replaces the hook, and starts counting attempts from zero. */
  use(hook: FaultHook): void;
  clear(): void;
  /** Asks the hook. */
  next(call: Call): Fault | undefined;
}

/** Makes a world in which nothing goes wrong yet. */
export function createFaults(): Faults {
  let hook: FaultHook | undefined;
  const attempts = new Map<string, number>();
  return {
    use(newHook) {
      hook = newHook;
      attempts.clear();
    },
    clear: () => {
      hook = undefined;
    },
    next(call) {
      if (hook === undefined) return undefined;
      const { service, operation, bucket, key, keys } = call;
      const id = JSON.stringify([operation, bucket, key]);
      const attempt = (attempts.get(id) ?? 0) + 1;
      attempts.set(id, attempt);
      return hook({
        service,
        operation,
        ...(bucket !== undefined && { bucket }),
        ...(key !== undefined && { key }),
        ...(keys !== undefined && { keys }),
        attempt,
      });
    },
  };
}
