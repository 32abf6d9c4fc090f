import { stsUrl } from "./aws-host.ts";
import type { CredentialsContext, FoundCredentials } from "./credentials-context.ts";
import type { HttpAnswer } from "./request.ts";
import { awsEndpoint, httpUrl } from "./settings.ts";
import { type Credentials, signed } from "./sign.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
const VERSION = "2011-06-15";

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html. It is not signed. */
export async function assumeRoleWithWebIdentity(
  context: CredentialsContext,
  { roleArn, session, token }: { readonly roleArn: string; readonly session: string; readonly token: string },
): Promise<FoundCredentials> {
  const url = endpointOf(context);
  if (!url) return { problem: "AWS_ENDPOINT_URL_STS is not a URL", isLasting: true };
  const body = new URLSearchParams({
    Action: "AssumeRoleWithWebIdentity",
    Version: VERSION,
    RoleArn: roleArn,
    RoleSessionName: session,
    WebIdentityToken: token,
  }).toString();
  const answer = await context.send({ method: "POST", url, headers: FORM, body });
  const text = answer.kind === "answer" ? answer.body : "";
  const [accessKeyId, secretAccessKey, sessionToken] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map((name) =>
    xmlValue(text, name),
  );
  if (accessKeyId && secretAccessKey && sessionToken) return { value: { accessKeyId, secretAccessKey, sessionToken } };
  const code = xmlValue(text, "Code");
  if (code === undefined) return { problem: "STS has no answer to the web identity", isLasting: false };
  const named = /^[A-Za-z]{1,40}$/.test(code) ? ` (${code})` : "";
  return { problem: `STS refuses the web identity${named}`, isLasting: xmlValue(text, "Type") === "Sender" };
}

/** The `aws:userid` of credentials: `AROA…:i-0abc…` on EC2; or why STS does not say it. `at`: milliseconds to sign with. */
export async function callerUserId(
  context: CredentialsContext,
  credentials: Credentials,
  at: number,
): Promise<{ readonly answer: HttpAnswer; readonly userId: string | undefined } | undefined> {
  const url = endpointOf(context);
  if (!url) return undefined;
  const body = new URLSearchParams({ Action: "GetCallerIdentity", Version: VERSION }).toString();
  const { region } = context;
  const headers = signed({ method: "POST", url, headers: FORM, body }, credentials, { region, service: "sts" }, at);
  const answer = await context.send({ method: "POST", url, headers, body });
  return { answer, userId: answer.kind === "answer" ? xmlValue(answer.body, "UserId") : undefined };
}

/** Only STS's own endpoint, or the one for all services: one for S3 alone is no STS. */
function endpointOf({ environment, region }: CredentialsContext): URL | undefined {
  const endpoint = awsEndpoint(environment, "STS");
  if (endpoint === undefined) return stsUrl(region);
  const url = httpUrl(endpoint);
  return url && new URL(`${url.href.replace(/\/$/, "")}/`);
}

function xmlValue(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  const end = xml.indexOf(`</${name}>`, start);
  return start < 0 || end < 0 ? undefined : xml.slice(start + name.length + 2, end);
}
