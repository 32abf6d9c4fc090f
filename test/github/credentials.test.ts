import { createVerify, generateKeyPairSync } from "node:crypto";
import { RequestError } from "@octokit/request-error";
import { describe, expect, test } from "vitest";
import { createCredentials, type Post } from "../../functions/github/credentials.ts";
import { GithubFailure } from "../../functions/github/failure.ts";

const NOW = Date.parse("2026-11-27T09:00:00.999Z");
const HOUR = 3_600_000;
const MINUTE = 60_000;
const ACTIONS = { actions: "read" } as const;
const RUNNERS = { organization_self_hosted_runners: "read" } as const;

const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
const PEM = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
const APP = { app_id: 1234, installation_id: 5678, private_key: PEM };

/** GitHub's answer with this status. */
function refusal(status: number): RequestError {
  const request = { method: "POST" as const, url: "https://api.github.com/", headers: {} };
  return new RequestError("no", status, {
    request,
    response: { status, url: "", headers: {}, data: "" },
  });
}

type Posted = Parameters<Post>;

/** A secret, GitHub and a clock, each of which a test can change. */
function world(secret: unknown = APP) {
  const state = {
    now: NOW,
    /** Its content as JSON, or, of a text, as it is; an error if it can't be read. */
    secret,
    answer: (count: number): unknown => ({
      token: `ghs_${count}`,
      expires_at: new Date(state.now + HOUR).toISOString(),
    }),
    reads: [] as boolean[],
    posts: [] as Posted[],
  };
  async function readSecret(isFresh: boolean): Promise<string | undefined> {
    state.reads.push(isFresh);
    if (state.secret instanceof Error) throw state.secret;
    if (state.secret === undefined || typeof state.secret === "string") return state.secret;
    return JSON.stringify(state.secret);
  }
  const post: Post = async (...posted) => {
    state.posts.push(posted);
    return state.answer(state.posts.length);
  };
  const credentials = createCredentials(readSecret, { now: () => state.now });
  const token = (refused?: string, permissions: Posted[1] = ACTIONS) =>
    credentials.token(permissions as typeof ACTIONS, post, refused);
  return { state, token };
}

const failure = (reason: string) => ({ name: "AbortError", reason });

describe("an App's installation", () => {
  test("gets a token for the permissions, with a JSON Web Token that its key signed and that is valid for nine minutes", async () => {
    const { state, token } = world();
    expect(await token()).toBe("ghs_1");
    const [[path, body, authorization = ""] = []] = state.posts;
    expect([path, body]).toEqual([["app", "installations", "5678", "access_tokens"], { permissions: ACTIONS }]);
    const [scheme, jwt = ""] = authorization.split(" ");
    expect(scheme).toBe("Bearer");
    const [header = "", payload = "", signature = ""] = jwt.split(".");
    const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    const seconds = Math.floor(NOW / 1000);
    expect(read(header)).toEqual({ alg: "RS256", typ: "JWT" });
    expect(read(payload)).toEqual({ iat: seconds - 60, exp: seconds + 540, iss: "1234" });
    expect(createVerify("RSA-SHA256").update(`${header}.${payload}`).verify(publicKey, signature, "base64url")).toBe(
      true,
    );
  });

  test("has one token for all calls with the same permissions, and another for others", async () => {
    const { state, token } = world();
    expect(await Promise.all([token(), token(), token(undefined, RUNNERS)])).toEqual(["ghs_1", "ghs_1", "ghs_2"]);
    expect([await token(), await token(undefined, RUNNERS)]).toEqual(["ghs_1", "ghs_2"]);
    expect(state.posts.map(([, body]) => body)).toEqual([{ permissions: ACTIONS }, { permissions: RUNNERS }]);
    expect(state.reads).toEqual([false, false]);
  });

  test("gets the next token five minutes before the last one expires, with the secret as it is kept", async () => {
    const { state, token } = world();
    await token();
    state.now = NOW + HOUR - 5 * MINUTE - 1;
    expect(await token()).toBe("ghs_1");
    state.now += 1;
    expect(await token()).toBe("ghs_2");
    expect(state.reads).toEqual([false, false]);
  });

  test.each([
    { token: "!~", expires_at: "2026-11-27T11:00:00+01:00" },
    { token: "x".repeat(1_024), expires_at: "2026-11-27T10:00:00Z", permissions: {} },
  ])("may get a token of every form that GitHub's may have: %o", async (answer) => {
    const { state, token } = world();
    state.answer = () => answer;
    expect(await token()).toBe(answer.token);
    state.now = Date.parse("2026-11-27T09:54:59Z");
    await token();
    expect(state.posts).toHaveLength(1);
  });

  const expires_at = "2026-11-27T10:00:00Z";
  test.each([
    ["nothing", undefined],
    ["no token", { expires_at }],
    ["an empty token", { token: "", expires_at }],
    ["a token with a blank", { token: "a b", expires_at }],
    ["a token that begins with a blank", { token: " a", expires_at }],
    ["a token that ends with a line break", { token: "a\n", expires_at }],
    ["a token with a letter beyond ASCII", { token: "ä", expires_at }],
    ["a token of 1,025 characters", { token: "x".repeat(1_025), expires_at }],
    ["no end", { token: "a" }],
    ["an end without a time zone", { token: "a", expires_at: "2026-11-27T10:00:00" }],
    ["an end that is none", { token: "a", expires_at: "soon" }],
  ])("that GitHub answers with %s has no token, and asks again for the next call", async (_, answer) => {
    const { state, token } = world();
    state.answer = () => answer;
    await expect(token()).rejects.toMatchObject(failure("invalid-answer"));
    await expect(token()).rejects.toMatchObject(failure("invalid-answer"));
    expect([state.posts.length, state.reads]).toEqual([2, [false, false]]);
  });

  test.each<[string, unknown, string]>([
    ["401, since the key was deleted", refusal(401), "no-credentials"],
    ["403, since it is suspended", refusal(403), "denied"],
    ["404, since it is gone", refusal(404), "no-credentials"],
    ["422, since it was not granted this", refusal(422), "denied"],
  ])(
    "that GitHub refuses with %s is not tried for a minute; then the secret is read afresh",
    async (_, error, reason) => {
      const { state, token } = world();
      state.answer = () => Promise.reject(error);
      await expect(token()).rejects.toMatchObject(failure(reason));
      state.now += MINUTE - 1;
      await expect(token()).rejects.toMatchObject(failure(reason));
      expect([state.posts.length, state.reads]).toEqual([1, [false]]);
      state.now += 1;
      await expect(token()).rejects.toMatchObject(failure(reason));
      expect([state.posts.length, state.reads]).toEqual([2, [false, true]]);
    },
  );

  test.each<[string, unknown, string]>([
    ["500", refusal(500), "unavailable"],
    ["429", refusal(429), "rate-limited"],
    ["a budget that is used up", new GithubFailure("time-budget"), "time-budget"],
    ["an error of any kind", new Error("x"), "unavailable"],
    ["what is no error", undefined, "unavailable"],
    ["what only looks like a refusal", { status: 422 }, "unavailable"],
  ])("that fails with %s is tried again by the next call", async (_, error, reason) => {
    const { state, token } = world();
    const { answer } = state;
    state.answer = () => Promise.reject(error);
    await expect(token()).rejects.toMatchObject(failure(reason));
    state.answer = answer;
    expect(await token()).toBe("ghs_2");
    expect(state.reads).toEqual([false, false]);
  });

  test("whose token GitHub rejects gets another with the secret read afresh: one for all that met it", async () => {
    const { state, token } = world();
    await token();
    expect(await Promise.all([token("ghs_1"), token("ghs_1"), token("ghs_1")])).toEqual(["ghs_2", "ghs_2", "ghs_2"]);
    expect(await token("ghs_1")).toBe("ghs_2");
    expect([state.posts.length, state.reads]).toEqual([2, [false, true]]);
  });

  test("whose token is refused after it expired gets another with the secret read afresh", async () => {
    const { state, token } = world();
    await token();
    state.now += HOUR;
    expect(await token("ghs_1")).toBe("ghs_2");
    expect(state.reads).toEqual([false, true]);
  });
});

describe("a plain token", () => {
  test("is used as it is, for all time, and GitHub is not asked for one", async () => {
    const { state, token } = world({ token: "ghp_1" });
    expect(await token()).toBe("ghp_1");
    state.now += 1_000 * HOUR;
    expect(await token()).toBe("ghp_1");
    expect([state.posts, state.reads]).toEqual([[], [false]]);
  });

  test("that GitHub rejects is replaced by the one that the secret holds by then", async () => {
    const { state, token } = world({ token: "ghp_1" });
    await token();
    state.secret = { token: "ghp_2" };
    expect(await token("ghp_1")).toBe("ghp_2");
    expect(state.reads).toEqual([false, true]);
  });

  test("that GitHub rejects and the secret still holds is not tried again for a minute", async () => {
    const { state, token } = world({ token: "ghp_1" });
    await token();
    await expect(token("ghp_1")).rejects.toMatchObject(failure("no-credentials"));
    await expect(token()).rejects.toMatchObject(failure("no-credentials"));
    expect(state.reads).toEqual([false, true]);
    state.secret = { token: "ghp_2" };
    state.now += MINUTE;
    expect(await token()).toBe("ghp_2");
    expect(state.reads).toEqual([false, true, true]);
  });
});

describe("the secret", () => {
  test.each<[string, unknown]>([
    ["a token of the longest form", { token: "!".repeat(1_024) }],
    ["a token of one character", { token: "~" }],
    ["a token with blanks and line ends around it", { token: " \r\nghp_1\n" }],
    ["a token after a byte order mark", { token: "\ufeffghp_1" }],
    ["a number for the App", { ...APP, app_id: 1 }],
    ["a client id for the App", { ...APP, app_id: `Iv23.${"a".repeat(35)}` }],
    ["an App with blanks around it", { ...APP, app_id: " 1234\n" }],
    ["the longest installation", { ...APP, installation_id: "9".repeat(19) }],
    ["an installation with blanks around it", { ...APP, installation_id: " 5678\n" }],
    ["JSON with a byte order mark and blanks around it", `\ufeff ${JSON.stringify(APP)}\r\n`],
    ["a key in PKCS #8", { ...APP, private_key: privateKey.export({ type: "pkcs8", format: "pem" }) }],
    ["a key in base64", { ...APP, private_key: Buffer.from(PEM).toString("base64") }],
    ["a key with text around it", { ...APP, private_key: `Key of the App:\n${PEM}\nof 2026` }],
    ["a key with escaped line ends", { ...APP, private_key: PEM.replaceAll("\n", "\\r\\n") }],
    ["a key with blanks for line ends", { ...APP, private_key: PEM.replaceAll("\n", "  ") }],
  ])("may hold %s", async (_, secret) => {
    const { token } = world(secret);
    expect(await token()).toMatch(/^[!-~]+$/);
  });

  test.each<[string, unknown]>([
    ["nothing", ""],
    ["no JSON", "ghp_1"],
    ["no object", "null"],
    ["neither an App nor a token", { pat: "ghp_1" }],
    ["an empty token", { token: "" }],
    ["a token with a blank", { token: "a b" }],
    ["a token with a letter beyond ASCII at its begin", { token: "äa" }],
    ["a token with a letter beyond ASCII at its end", { token: "aä" }],
    ["a token of 1,025 characters", { token: "x".repeat(1_025) }],
    ["an App without a name", { ...APP, app_id: "" }],
    ["an App that begins with a slash", { ...APP, app_id: "/1234" }],
    ["an App that ends with a slash", { ...APP, app_id: "1234/" }],
    ["an App of 41 characters", { ...APP, app_id: "1".repeat(41) }],
    ["an installation without a number", { ...APP, installation_id: "" }],
    ["an installation that begins with a letter", { ...APP, installation_id: "a1" }],
    ["an installation that ends with a letter", { ...APP, installation_id: "1a" }],
    ["an installation of 20 digits", { ...APP, installation_id: "1".repeat(20) }],
    ["an App without a key", { app_id: 1, installation_id: 1 }],
    ["a key that is none", { ...APP, private_key: "ssh-rsa AAAA" }],
    ["a key without its end", { ...APP, private_key: PEM.slice(0, -30) }],
    ["a key with another's end", { ...APP, private_key: PEM.replace("END RSA", "END EC") }],
    ["a public key", { ...APP, private_key: publicKey.export({ type: "spki", format: "pem" }) }],
  ])("with %s is unreadable: GitHub is not asked, and it is read afresh a minute later", async (_, secret) => {
    const { state, token } = world(secret);
    await expect(token()).rejects.toMatchObject(failure("unreadable-credentials"));
    state.now += MINUTE - 1;
    await expect(token()).rejects.toMatchObject(failure("unreadable-credentials"));
    expect([state.posts, state.reads]).toEqual([[], [false]]);
    state.secret = APP;
    state.now += 1;
    expect(await token()).toBe("ghs_1");
    expect(state.reads).toEqual([false, true]);
  });

  test.each<[string, unknown]>([
    ["that is not there", undefined],
    ["that can't be read", new Error("AccessDeniedException")],
  ])("%s is no credentials, and is asked for once a minute", async (_, secret) => {
    const { state, token } = world();
    state.secret = secret;
    await expect(token()).rejects.toMatchObject(failure("no-credentials"));
    state.now += MINUTE - 1;
    await expect(token()).rejects.toMatchObject(failure("no-credentials"));
    expect(state.reads).toEqual([false]);
    state.now += 1;
    await expect(token()).rejects.toMatchObject(failure("no-credentials"));
    expect(state.reads).toEqual([false, true]);
  });
});
