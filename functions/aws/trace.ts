import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";

/** Text, numbers and booleans by which traces can be searched in X-Ray. */
export type Annotations = Readonly<Record<string, string | number | boolean>>;

/**
 * Runs `body` in a subsegment of the trace that Lambda's active tracing records for the invocation. `describe` gives the annotations of its
 * result; an error is recorded as a fault. The subsegment is one datagram to the X-Ray daemon that Lambda runs next to the function: nothing
 * waits for an answer, and a trace that can't be sent is no failure. Without tracing, and for a trace that is not sampled, only `body` runs.
 * https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
 */
export async function traced<Result>(
  name: string,
  annotations: Annotations,
  body: () => Promise<Result>,
  describe: (result: Result) => Annotations,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Result> {
  const startedAt = Date.now();
  const send = (more: object) =>
    sendSubsegment(env, { name, start_time: startedAt / 1000, end_time: Date.now() / 1000, ...more });
  try {
    const result = await body();
    await send({ annotations: { ...annotations, ...describe(result) } });
    return result;
  } catch (error) {
    await send({ annotations, fault: true, cause: { exceptions: [exceptionOf(error)] } });
    throw error;
  }
}

/** Longest message of an error in a trace, in characters. */
const MESSAGE_MAX = 300;

function exceptionOf(error: unknown): object {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return { id: newId(), type: name, message: message.slice(0, MESSAGE_MAX) };
}

async function sendSubsegment(env: Readonly<Record<string, string | undefined>>, subsegment: object): Promise<void> {
  // Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1
  const fields = new URLSearchParams(env._X_AMZN_TRACE_ID?.replaceAll(";", "&"));
  const { Root: trace_id, Parent: parent_id, Sampled } = Object.fromEntries(fields);
  const [, host, port] = /^([^:]+):([0-9]+)$/.exec(env.AWS_XRAY_DAEMON_ADDRESS ?? "") ?? [];
  if (!trace_id || !parent_id || Sampled !== "1" || !host) return;
  const document = { ...subsegment, type: "subsegment", id: newId(), trace_id, parent_id };
  const socket = createSocket("udp4");
  try {
    await new Promise<void>((resolve) => {
      socket.on("error", () => resolve());
      socket.send(`{"format":"json","version":1}\n${JSON.stringify(document)}`, Number(port), host, () => resolve());
    });
  } catch {
    // Not an address.
  } finally {
    socket.close();
  }
}

/** 64 bits in hexadecimal. */
function newId(): string {
  return randomBytes(8).toString("hex");
}
