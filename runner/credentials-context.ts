import type { HttpAnswer, HttpRequest } from "./request.ts";
import type { Environment } from "./settings.ts";
import type { Credentials } from "./sign.ts";

/** What the search for credentials needs. */
export interface CredentialsContext {
  readonly environment: Environment;
  readonly region: string;
  /** One request to AWS, by proxy if one is set. */
  readonly send: (request: Omit<HttpRequest, "milliseconds" | "proxy" | "ca">) => Promise<HttpAnswer>;
  /** One request to the machine itself, never by proxy. */
  readonly sendLocally: (request: Omit<HttpRequest, "milliseconds" | "proxy" | "ca">) => Promise<HttpAnswer>;
}

/** Credentials, or why there are none; `isLasting`: they will not be there in a moment either. */
export type FoundCredentials =
  | { readonly value: Credentials }
  | { readonly problem: string; readonly isLasting: boolean };
