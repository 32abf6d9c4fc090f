import type { HttpReply, HttpRequest } from "./http.ts";

const ARN = "arn:aws:iam::000000000000:user/local";

/** Whether a request is for STS, whose protocol is a form. */
export function isSts({ method, headers }: HttpRequest): boolean {
  return method === "POST" && String(headers["content-type"]).startsWith("application/x-www-form-urlencoded");
}

/** Answers GetCallerIdentity: all credentials are those of one user. */
export function sts({ body }: HttpRequest): HttpReply {
  const action = new URLSearchParams(body.toString()).get("Action");
  if (action !== "GetCallerIdentity") {
    return { status: 400, body: "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>" };
  }
  const identity = `<Arn>${ARN}</Arn><UserId>local</UserId><Account>000000000000</Account>`;
  const result = `<GetCallerIdentityResult>${identity}</GetCallerIdentityResult>`;
  return {
    status: 200,
    headers: { "content-type": "text/xml" },
    body: `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${result}</GetCallerIdentityResponse>`,
  };
}
