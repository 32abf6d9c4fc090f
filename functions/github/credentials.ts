import { createSign } from "node:crypto";
import * as z from "zod";
import type { GithubReason } from "../../contract/reasons.ts";
import type { Clock } from "../ports.ts";
import { GithubFailure, hasStatus, reasonOf } from "./failure.ts";

/** Permissions of a token, with the names of a GitHub App's permissions. */
export type Permissions = Readonly<Record<string, "read">>;

/** Text without the byte order mark and the blanks and line ends around it that editors and shells add. */
const trimmed = z.coerce.string().transform((text) => text.trim());

/** The content of the secret: a GitHub App's installation, or a token. */
const secret = z.union([
  z.object({
    app_id: trimmed.pipe(z.string().regex(/^[A-Za-z0-9.]{1,40}$/)),
    installation_id: trimmed.pipe(z.string().regex(/^[0-9]{1,19}$/)),
    private_key: z.string().transform(readPem),
  }),
  z.object({ token: trimmed.pipe(z.string().regex(/^[!-~]{1,1024}$/)) }),
]);
type Secret = z.output<typeof secret>;
type App = Extract<Secret, { app_id: string }>;

const installationToken = z.object({
  token: z.string().regex(/^[!-~]{1,1024}$/),
  expires_at: z.iso.datetime({ offset: true }),
});

/** A token is not used in the last minutes before it expires, in milliseconds. */
const EXPIRES_SOON_MILLISECONDS = 5 * 60_000;

/** What other calls would meet as well. */
const REFUSALS: readonly GithubReason[] = ["no-credentials", "unreadable-credentials", "denied"];

/** Refused credentials are not tried again for this long, in milliseconds. */
const REFUSED_MILLISECONDS = 60_000;

/** Posts to GitHub's API. Returns the body of the answer. */
export type Post = (path: readonly string[], body: object, authorization: string) => Promise<unknown>;

/** Tokens for GitHub, each with only the permissions it is used for. */
export interface Credentials {
  /** A token other than `refused`, which GitHub rejected. Throws `GithubFailure` if there is none. */
  token(permissions: Permissions, post: Post, refused?: string): Promise<string>;
}

/** `readSecret` returns the secret's text; with `isFresh`, read again. */
export function createCredentials(
  readSecret: (isFresh: boolean) => Promise<string | undefined>,
  clock: Pick<Clock, "now">,
): Credentials {
  const tokens = new Map<string, Entry>();

  return {
    async token(permissions, post, refused) {
      const key = JSON.stringify(permissions);
      const known = tokens.get(key);
      if (known && clock.now() < known.validUntil) {
        const { token } = await known.made;
        if (token !== refused) return token;
      }
      // Another call may have had the same problem and solved it meanwhile.
      const current = tokens.get(key);
      // The secret may have been corrected since: the cache would not show it.
      const isFresh = refused !== undefined || current?.isRefused === true;
      const { made } =
        current && current !== known ? current : remember(key, makeToken(permissions, post, isFresh, refused));
      return (await made).token;
    },
  };

  function remember(key: string, made: Promise<Token>): Entry {
    const entry: Entry = { made, validUntil: Number.POSITIVE_INFINITY, isRefused: false };
    tokens.set(key, entry);
    made.then(
      ({ expiresAt }) => {
        entry.validUntil = expiresAt - EXPIRES_SOON_MILLISECONDS;
      },
      (error) => {
        entry.isRefused = REFUSALS.includes(reasonOf(error));
        entry.validUntil = entry.isRefused ? clock.now() + REFUSED_MILLISECONDS : 0;
      },
    );
    return entry;
  }

  async function makeToken(
    permissions: Permissions,
    post: Post,
    isFresh: boolean,
    refused: string | undefined,
  ): Promise<Token> {
    const found = await parsedSecret(isFresh);
    if ("token" in found) {
      if (found.token === refused) throw new GithubFailure("no-credentials");
      return { token: found.token, expiresAt: Number.POSITIVE_INFINITY };
    }
    const path = ["app", "installations", found.installation_id, "access_tokens"];
    const answer = await post(path, { permissions }, `Bearer ${appToken(found, clock.now())}`).catch((error) => {
      // 404: no such installation. 422: it was not granted these permissions.
      const reason = reasonOf(error);
      throw new GithubFailure(reason === "not-found" ? "no-credentials" : hasStatus(error, 422) ? "denied" : reason);
    });
    const parsed = installationToken.safeParse(answer);
    if (!parsed.success) throw new GithubFailure("invalid-answer");
    return { token: parsed.data.token, expiresAt: Date.parse(parsed.data.expires_at) };
  }

  async function parsedSecret(isFresh: boolean): Promise<Secret> {
    const text = await readSecret(isFresh).catch(() => undefined);
    if (text === undefined) throw new GithubFailure("no-credentials");
    const parsed = secret.safeParse(parseJson(text.trim()));
    // A message of zod's may quote the secret.
    if (!parsed.success) throw new GithubFailure("unreadable-credentials");
    return parsed.data;
  }
}

interface Entry {
  readonly made: Promise<Token>;
  /** Milliseconds since the epoch. */
  validUntil: number;
  isRefused: boolean;
}

interface Token {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** The JSON Web Token of an App: signed with its key, valid for 9 minutes, also if GitHub's clock is a minute behind.
 * https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app */
function appToken({ app_id, private_key }: App, now: number): string {
  const seconds = Math.floor(now / 1000);
  const parts = [
    { alg: "RS256", typ: "JWT" },
    { iat: seconds - 60, exp: seconds + 540, iss: app_id },
  ];
  const unsigned = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  try {
    return `${unsigned}.${createSign("RSA-SHA256").update(unsigned).sign(private_key, "base64url")}`;
  } catch {
    throw new GithubFailure("unreadable-credentials");
  }
}

/**
 * A key in PEM, as GitHub gives it for download. On the way into the secret its line ends may have become blanks or `\\n`, and the whole of
 * it base64: what it says is certain all the same. What is no key stays none: nothing can be signed with it.
 */
function readPem(text: string): string {
  const plain = text.includes("-----BEGIN") ? text : Buffer.from(text, "base64").toString();
  const [, label, body = ""] = /-----BEGIN ([A-Z ]+)-----([^-]*)-----END \1-----/.exec(plain) ?? [];
  return `-----BEGIN ${label}-----\n${body.replaceAll(/\\[rn]|\s/g, "")}\n-----END ${label}-----`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
