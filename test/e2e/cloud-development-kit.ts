/** The CDK's own command line, as it is installed, with a home and settings of its own. */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

/** Outputs by stack. */
export type Outputs = Readonly<Record<string, Readonly<Record<string, string>>>>;

export interface CloudDevelopmentKit {
  /** `context` is one that the app accepts. */
  bootstrap(context: object): Promise<void>;
  /** Deploys all stacks of the app, with this context. */
  deploy(context: object): Promise<Outputs>;
  destroy(): Promise<void>;
}

/** `app` is a file in this folder; `env` says which endpoint and credentials; `directory` is where cdk.json is written, and all else. */
export function cloudDevelopmentKit(
  app: string,
  directory: string,
  env: Readonly<Record<string, string>>,
): CloudDevelopmentKit {
  // The command line remembers accounts in its home.
  const home = join(directory, "home");
  mkdirSync(home);
  const outputs = join(directory, "outputs.json");
  const PATH = [dirname(process.execPath), BIN, process.env.PATH].join(delimiter);

  async function cdk(...command: string[]): Promise<void> {
    const options = { cwd: directory, env: { PATH, HOME: home, CI: "true", ...env }, maxBuffer: 1e8 };
    await new Promise<void>((resolve, reject) => {
      execFile(join(BIN, "cdk"), command, options, (error, stdout, stderr) => {
        if (error) reject(new Error(`cdk ${command.join(" ")} failed:\n${stdout}${stderr}`));
        else resolve();
      });
    });
  }

  return {
    bootstrap(context) {
      writeContext(context);
      return cdk("bootstrap", `aws://000000000000/${env.AWS_REGION}`);
    },
    async deploy(context) {
      writeContext(context);
      await cdk("deploy", "--all", "--concurrency", "3", "--require-approval", "never", "--outputs-file", outputs);
      return JSON.parse(readFileSync(outputs, "utf8"));
    },
    destroy: () => cdk("destroy", "--all", "--force"),
  };

  function writeContext(context: object): void {
    const path = fileURLToPath(new URL(app, import.meta.url));
    writeFileSync(join(directory, "cdk.json"), JSON.stringify({ app: `node ${path}`, context }));
  }
}
