import { Console } from "node:console";
import { Writable } from "node:stream";

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Does something in this process as a program of its own would: with an environment and an exit code of its own, and its output kept. */
export async function asProgram<T>(
  environment: Readonly<Record<string, string | undefined>>,
  task: () => Promise<T>,
): Promise<Output & { readonly result: T }> {
  const { env, exitCode, stdout, stderr } = process;
  const before = { console: globalThis.console, writeOut: stdout.write, writeErr: stderr.write };
  const [out, err] = [new Collector(), new Collector()];
  process.env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
  process.exitCode = undefined;
  globalThis.console = new Console(out, err);
  stdout.write = out.write.bind(out) as typeof stdout.write;
  stderr.write = err.write.bind(err) as typeof stderr.write;
  try {
    return { result: await task(), stdout: out.text, stderr: err.text };
  } finally {
    Object.assign(process, { env, exitCode });
    globalThis.console = before.console;
    stdout.write = before.writeOut;
    stderr.write = before.writeErr;
  }
}

class Collector extends Writable {
  text = "";

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk;
    done();
  }
}
