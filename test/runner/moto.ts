/** moto, which enforces policies and verifies signatures: https://docs.getmoto.org/en/latest/docs/iam.html */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Credentials } from "../../cli/ticket.ts";
import { MOTO, startEmulator } from "../emulators.ts";

/** Checks nothing until it is told to. */
const LENIENT = { ...MOTO, environment: () => ({ INITIAL_NO_AUTH_ACTION_COUNT: "1000000" }) };
const REGION = "us-east-1";

export async function startMoto() {
  const home = mkdtempSync(join(tmpdir(), "moto-"));
  const { endpoint, stop } = await startEmulator(LENIENT, home);

  /** A query-protocol call with whatever signature: moto verifies none until it is told to. */
  async function call(service: string, parameters: Record<string, string>): Promise<string> {
    const scope = `Credential=none/20260101/${REGION}/${service}/aws4_request`;
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { authorization: `AWS4-HMAC-SHA256 ${scope}, SignedHeaders=host, Signature=none` },
      body: new URLSearchParams(parameters),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return text;
  }

  return {
    endpoint,
    region: REGION,
    createBucket: (bucket: string) => fetch(`${endpoint}/${bucket}`, { method: "PUT" }),
    put: (path: string, body: string) => fetch(`${endpoint}/${path}`, { method: "PUT", body }),
    /** The credentials and `aws:userid` of a session of a role that may do what the policy says. */
    async session(policy: object, sessionName: string): Promise<{ credentials: Credentials; userId: string }> {
      const role = { Version: "2010-09-09", RoleName: `role-${sessionName}` };
      const trust = { Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }] };
      await call("iam", { ...role, Action: "CreateRole", AssumeRolePolicyDocument: JSON.stringify(trust) });
      const PolicyDocument = JSON.stringify(policy);
      await call("iam", { ...role, Action: "PutRolePolicy", PolicyName: "runner", PolicyDocument });
      const assumed = await call("sts", {
        Version: "2011-06-15",
        Action: "AssumeRole",
        RoleArn: `arn:aws:iam::123456789012:role/${role.RoleName}`,
        RoleSessionName: sessionName,
      });
      const value = (name: string) => new RegExp(`<${name}>([^<]+)`).exec(assumed)?.[1] ?? "";
      return {
        credentials: {
          accessKeyId: value("AccessKeyId"),
          secretAccessKey: value("SecretAccessKey"),
          sessionToken: value("SessionToken"),
        },
        userId: value("AssumedRoleId"),
      };
    },
    /** From now on every request but STS's own is checked. */
    enforce: () => fetch(`${endpoint}/moto-api/reset-auth`, { method: "POST", body: "0" }),
    stopEnforcing: () => fetch(`${endpoint}/moto-api/reset-auth`, { method: "POST", body: "1000000" }),
    close(): void {
      stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
