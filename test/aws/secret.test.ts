import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { secretReader } from "../../functions/aws/secret.ts";
import { createConnections } from "../../functions/connections.ts";
import { expectPatience } from "./sdk-client.ts";

const connections = createConnections(4);

beforeEach(() => {
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** A reader of the secret `github` whose client answers so; the client itself, and what it was sent. */
function readerThat(answer: (call: number) => object) {
  const sent: unknown[] = [];
  const clients: SecretsManagerClient[] = [];
  const send = async function (this: SecretsManagerClient, { input }: { input: object }) {
    clients.push(this);
    sent.push(input);
    return answer(sent.length);
  };
  vi.spyOn(SecretsManagerClient.prototype, "send").mockImplementation(send as never);
  return { read: secretReader("github", connections), sent, clients };
}

test("a secret is its text, read by its name", async () => {
  const { read, sent } = readerThat(() => ({ SecretString: "text" }));
  expect(await read(false)).toBe("text");
  expect(sent).toEqual([{ SecretId: "github" }]);
});

test("a secret of bytes has no text", async () => {
  expect(await readerThat(() => ({ SecretBinary: new Uint8Array(1) })).read(false)).toBeUndefined();
});

test("a secret is kept for five minutes", async () => {
  const { read } = readerThat((call) => ({ SecretString: `text ${call}` }));
  expect(await read(false)).toBe("text 1");
  vi.setSystemTime(Date.now() + 300_000);
  expect(await read(false)).toBe("text 1");
  vi.setSystemTime(Date.now() + 1);
  expect(await read(false)).toBe("text 2");
});

test("a fresh secret is read anew, and kept", async () => {
  const { read } = readerThat((call) => ({ SecretString: `text ${call}` }));
  expect([await read(false), await read(true), await read(false)]).toEqual(["text 1", "text 2", "text 2"]);
});

test("a secret that can't be read is an error", async () => {
  const { read } = readerThat(() => {
    throw new Error("no");
  });
  await expect(read(false)).rejects.toThrow("no");
});

test("a connection has 1 s, an answer 5 s, and a call three attempts, on the connections that are given", async () => {
  const { read, clients } = readerThat(() => ({ SecretString: "text" }));
  await read(false);
  const [client] = clients as [SecretsManagerClient];
  await expectPatience(client.config, 1_000, connections);
});
