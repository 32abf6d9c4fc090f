import { slotStorage, storagePrefix } from "../contract/object-keys.ts";
import type { RunnerFileName } from "../contract/runner-file-grammar.ts";
import { objectUrl } from "./aws-host.ts";
import { now } from "./clock.ts";
import { findCredentials } from "./credentials.ts";
import type { CredentialsContext, FoundCredentials } from "./credentials-context.ts";
import { readPlainText } from "./plain-text.ts";
import { proxyFor } from "./proxy.ts";
import { type HttpAnswer, type HttpRequest, send } from "./request.ts";
import { type Environment, storageSetting, type Target, targetOf } from "./settings.ts";
import { signed } from "./sign.ts";
import { callerUserId } from "./sts.ts";
import { formBody, readTicket, type Ticket } from "./ticket-form.ts";
import type { PutResult } from "./upload-life.ts";

/** Where a life's files go. */
export interface Place {
  readonly storage: string;
  readonly slot?: number | undefined;
}

/** A problem that sending can't be tried with. */
export interface CannotUpload {
  readonly problem: string;
  readonly isLasting: boolean;
}

/** Stores files by what right this runner has. */
export interface Uploader {
  /** Whether the right is for one life only. */
  readonly isTicket: boolean;
  /** Why there are no credentials; undefined if there are. */
  credentials(): Promise<string | undefined>;
  /** The runner's first storage, as the settings, the ticket or STS name it. */
  storage(): Promise<{ readonly value: string } | CannotUpload>;
  /** Stores a file unless there is one, or says what S3 said. */
  put(place: Place, file: RunnerFileName, content: string): Promise<PutResult>;
}

export interface UploaderOptions {
  readonly environment: Environment;
  /** Milliseconds that one request may take. */
  readonly timeout: number;
  /** Milliseconds that are left of the step's time. */
  readonly left: () => number;
}

/** S3 refuses a signature that is 15 minutes off. */
const SKEW_MILLISECONDS_MAX = 10 * 60 * 1000;

const METADATA_MILLISECONDS_MAX = 2_000;

const CA_BYTES_MAX = 1024 * 1024;

/** The uploader for the settings, or what is wrong with them. */
export function createUploader(options: UploaderOptions): { readonly value: Uploader } | CannotUpload {
  const { environment } = options;
  if (environment.RUNNER_METRICS_TICKET) {
    const ticket = readTicket(environment.RUNNER_METRICS_TICKET);
    return "value" in ticket ? { value: byTicket(ticket.value, options) } : { ...ticket, isLasting: true };
  }
  const target = targetOf(environment);
  if ("problem" in target) return { ...target, isLasting: true };
  const storage = storageSetting(environment);
  if ("problem" in storage) return { ...storage, isLasting: true };
  return { value: byCredentials(target.value, storage.value, options) };
}

function byTicket({ forms, storage }: Ticket, options: UploaderOptions): Uploader {
  const ask = senderFor(options);
  return {
    isTicket: true,
    credentials: async () => undefined,
    storage: async () => ({ value: storage }),
    async put(_, file, content) {
      const form = forms.get(file);
      if (!form) return failed("the ticket has no form for it", { isLasting: true });
      const { body, type } = formBody(form, content);
      const sentAt = now();
      const answer = await ask({ method: "POST", url: form.url, headers: { "content-type": type }, body });
      if (answer.kind === "answer" && answer.status === 403) {
        return failed("HTTP 403, the ticket has expired or does not allow it", { isLasting: true });
      }
      return judged(answer, sentAt);
    },
  };
}

function byCredentials(target: Target, storage: string | undefined, options: UploaderOptions): Uploader {
  const { environment, timeout, left } = options;
  const ask = senderFor(options);
  const context: CredentialsContext = {
    environment,
    region: target.region,
    send: ask,
    sendLocally: (request) =>
      send({ ...request, milliseconds: Math.min(METADATA_MILLISECONDS_MAX, timeout / 3, Math.max(1, left())) }),
  };
  let found: Promise<FoundCredentials> | undefined;
  const credentials = () => {
    found ??= findCredentials(context);
    return found;
  };
  // How far S3's clock is ahead of ours.
  let skew = 0;
  /** Whether a refusal is due to the clock; then the next signature has S3's time. */
  const correctsClock = (answer: HttpAnswer): boolean => {
    const date = dateOf(answer);
    if (answer.kind === "none" || answer.status !== 403 || date === undefined) return false;
    if (Math.abs(date - (Date.now() + skew)) < SKEW_MILLISECONDS_MAX) return false;
    skew = date - Date.now();
    return true;
  };

  async function askForStorage(): Promise<{ readonly value: string } | CannotUpload> {
    const given = await credentials();
    if ("problem" in given) {
      return { ...given, problem: `RUNNER_METRICS_STORAGE is not set, and ${given.problem}` };
    }
    let said = await callerUserId(context, given.value, Date.now() + skew);
    if (said && correctsClock(said.answer)) said = await callerUserId(context, given.value, Date.now() + skew);
    if (!said) return { problem: "AWS_ENDPOINT_URL_STS is not a URL", isLasting: true };
    const named = storageSetting({ RUNNER_METRICS_STORAGE: said.userId });
    if ("value" in named && named.value !== undefined) return { value: named.value };
    const isLasting = said.answer.kind === "answer" && said.answer.status < 500;
    const reason =
      said.answer.kind === "none" ? `no answer of STS (${said.answer.reason})` : `STS answers ${said.answer.status}`;
    return { problem: `RUNNER_METRICS_STORAGE is not set, and ${reason}`, isLasting };
  }

  return {
    isTicket: false,
    async credentials() {
      const given = await credentials();
      return "problem" in given ? given.problem : undefined;
    },
    storage: async () => (storage === undefined ? askForStorage() : { value: storage }),
    async put(place, file, content) {
      const given = await credentials();
      if ("problem" in given) {
        found = undefined;
        return failed(given.problem, { isLasting: given.isLasting });
      }
      const name = place.slot === undefined ? place.storage : slotStorage(place.storage, place.slot);
      const url = objectUrl(target, `${storagePrefix(target.flavor, name)}${file}`);
      const headers = { "content-type": "text/plain", "if-none-match": "*" };
      const unsigned = { method: "PUT", url, headers, body: content } as const;
      const scope = { region: target.region, service: "s3" } as const;
      const put = () => ask({ ...unsigned, headers: signed(unsigned, given.value, scope, Date.now() + skew) });
      const sentAt = now();
      let answer = await put();
      const isClockWrong = correctsClock(answer);
      if (isClockWrong) answer = await put();
      if (answer.kind === "answer" && answer.status === 403) {
        const why = isClockWrong
          ? "maybe since the clock is wrong here"
          : "the credentials or the bucket's policy do not allow it";
        return failed(`HTTP 403, ${why}`, { isLasting: true });
      }
      return judged(answer, sentAt);
    },
  };
}

/** Makes requests to AWS: within the time that is left, by proxy if one is set, with the certificates that are set. */
function senderFor({ environment, timeout, left }: UploaderOptions) {
  const ca = environment.AWS_CA_BUNDLE ? readPlainText(environment.AWS_CA_BUNDLE, CA_BYTES_MAX) : undefined;
  return (request: Omit<HttpRequest, "milliseconds" | "proxy" | "ca">): Promise<HttpAnswer> => {
    const milliseconds = Math.min(timeout, left());
    if (milliseconds <= 0) return Promise.resolve({ kind: "none", reason: "no time left", wasSent: false });
    return send({ ...request, milliseconds, proxy: proxyFor(request.url, environment), ca });
  };
}

/** What an answer to a PUT or a form means, except 403. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
function judged(answer: HttpAnswer, sentAt: ReturnType<typeof now>): PutResult {
  if (answer.kind === "none") {
    return failed(`no answer (${answer.reason})`, { isLasting: false, mayBeStored: answer.wasSent });
  }
  const { status } = answer;
  if ([200, 201, 204].includes(status)) {
    return { kind: "stored", sentAt, answeredAt: { ...now(), date: dateOf(answer) } };
  }
  if (status === 412) return { kind: "there" };
  if (status === 404) return failed("HTTP 404, is there such a bucket?", { isLasting: true });
  const mayPass = [408, 409, 429].includes(status) || (status >= 500 && status !== 501);
  return failed(`HTTP ${status}`, { isLasting: !mayPass, mayBeStored: mayPass });
}

function failed(reason: string, { isLasting, mayBeStored = false }: { isLasting: boolean; mayBeStored?: boolean }) {
  return { kind: "failed", reason, isLasting, mayBeStored } as const;
}

/** S3's clock, in milliseconds. */
function dateOf(answer: HttpAnswer): number | undefined {
  const date = answer.kind === "answer" ? Date.parse(answer.headers.date ?? "") : Number.NaN;
  return Number.isNaN(date) ? undefined : date;
}
