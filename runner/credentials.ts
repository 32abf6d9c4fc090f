import { hostname } from "node:os";
import type { CredentialsContext, FoundCredentials } from "./credentials-context.ts";
import { readPlainText } from "./plain-text.ts";
import type { HttpAnswer } from "./request.ts";
import type { Credentials } from "./sign.ts";
import { assumeRoleWithWebIdentity } from "./sts.ts";

const TOKEN_BYTES_MAX = 64 * 1024;

/**
 * Credentials from the environment, a web identity (EKS), the container's endpoint (ECS, EKS Pod Identity) or the EC2 instance (IMDSv2). If
 * one of these is set but gives none, the next is not asked: the machine's role is not the runner's.
 */
export async function findCredentials(context: CredentialsContext): Promise<FoundCredentials> {
  const { environment } = context;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = environment;
  if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY) {
    return checked({
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN || undefined,
    });
  }
  if (environment.AWS_WEB_IDENTITY_TOKEN_FILE) return fromWebIdentity(context, environment.AWS_WEB_IDENTITY_TOKEN_FILE);
  if (environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI || environment.AWS_CONTAINER_CREDENTIALS_FULL_URI) {
    return fromContainer(context);
  }
  if (environment.AWS_EC2_METADATA_DISABLED?.toLowerCase() === "true") return none("no credentials found", true);
  return fromInstance(context);
}

async function fromWebIdentity(context: CredentialsContext, tokenFile: string): Promise<FoundCredentials> {
  const { environment } = context;
  const roleArn = environment.AWS_ROLE_ARN;
  if (!roleArn) return none("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not", true);
  // A name that stays the same over all sessions of the runner: it is the end of `aws:userid`.
  const session = environment.AWS_ROLE_SESSION_NAME || hostname();
  if (!/^[\w+=,.@-]{2,64}$/.test(session)) return none("AWS_ROLE_SESSION_NAME is not the name of a session", true);
  const token = readPlainText(tokenFile, TOKEN_BYTES_MAX)?.trim();
  if (!token) return none("the token of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read", true);
  const assumed = await assumeRoleWithWebIdentity(context, { roleArn, session, token });
  return "value" in assumed ? checked(assumed.value) : assumed;
}

async function fromContainer({ environment, sendLocally }: CredentialsContext): Promise<FoundCredentials> {
  const relative = environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI;
  const uri = relative ? `http://169.254.170.2${relative}` : (environment.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? "");
  const url = relative && !relative.startsWith("/") ? undefined : localUrl(uri);
  if (!url) return none("AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI is not one", true);
  const file = environment.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE;
  const authorization = file
    ? readPlainText(file, TOKEN_BYTES_MAX)?.trim()
    : environment.AWS_CONTAINER_AUTHORIZATION_TOKEN;
  if (file && !authorization) return none("the token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read", true);
  if (authorization && !isHeaderText(authorization)) return none("the container's token is not one", true);
  const headers = authorization ? { authorization } : {};
  return fromJson(await sendLocally({ method: "GET", url, headers }));
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html */
async function fromInstance({ environment, sendLocally }: CredentialsContext): Promise<FoundCredentials> {
  const endpoint = environment.AWS_EC2_METADATA_SERVICE_ENDPOINT || "http://169.254.169.254";
  const base = localUrl(`${endpoint.replace(/\/$/, "")}/latest/`);
  if (!base) return none("AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL", true);
  const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
  const token = await sendLocally({ method: "PUT", url: new URL("api/token", base), headers: ttl });
  if (token.kind === "none" || token.status !== 200 || !isHeaderText(token.body)) return none("no credentials found");
  const headers = { "x-aws-ec2-metadata-token": token.body };
  const roles = new URL("meta-data/iam/security-credentials/", base);
  const role = await sendLocally({ method: "GET", url: roles, headers });
  if (role.kind === "none" || role.status !== 200) return none("no credentials found: the instance has no role");
  const [name = ""] = role.body.split("\n", 1);
  if (!/^[\w+=,.@-]{1,64}$/.test(name)) return none("no credentials found: the instance has no role");
  return fromJson(await sendLocally({ method: "GET", url: new URL(encodeURIComponent(name), roles), headers }));
}

function fromJson(answer: HttpAnswer): FoundCredentials {
  if (answer.kind === "none" || answer.status !== 200) return none("no credentials found");
  let json: unknown;
  try {
    json = JSON.parse(answer.body);
  } catch {
    return none("no credentials found");
  }
  if (typeof json !== "object" || json === null) return none("no credentials found");
  const { AccessKeyId, SecretAccessKey, Token } = json as Readonly<Record<string, unknown>>;
  if (typeof AccessKeyId !== "string" || typeof SecretAccessKey !== "string") return none("no credentials found");
  return checked({
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: typeof Token === "string" ? Token : undefined,
  });
}

function checked(credentials: Credentials): FoundCredentials {
  const areHeaders = [credentials.accessKeyId, credentials.sessionToken ?? "x"].every(isHeaderText);
  return areHeaders ? { value: credentials } : none("the credentials have characters that no credentials have", true);
}

function none(problem: string, isLasting = false): FoundCredentials {
  return { problem, isLasting };
}

/** Goes into a header as it is. */
function isHeaderText(text: string): boolean {
  return /^[!-~]+$/.test(text);
}

function localUrl(text: string): URL | undefined {
  if (!isHeaderText(text) || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return ["http:", "https:"].includes(url.protocol) ? url : undefined;
}
