/**
 * Cuts what is used here out of GitHub's OpenAPI descriptions, which are too large to depend on:
 * `npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz && node test/github/slice-openapi.ts package/generated > test/github/openapi.json`
 */
import { readFileSync } from "node:fs";

/** GitHub.com, GitHub Enterprise Cloud (GHE.com), and GitHub Enterprise Server. */
const DESCRIPTIONS = ["api.github.com", "ghec", "ghes-3.19"];

const OPERATIONS = [
  ["get", "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs", "200"],
  ["get", "/repos/{owner}/{repo}/actions/runners", "200"],
  ["get", "/orgs/{org}/actions/runners", "200"],
  ["post", "/app/installations/{installation_id}/access_tokens", "201"],
] as const;

/** `repositories` of a token is only for those that ask for some, and would be half of all there is. */
const LEFT_OUT = ["description", "example", "examples", "title", "nullable", "repositories", "x-octokit"];

interface Json {
  [name: string]: Json;
}

const directory = process.argv[2] ?? "";
const slices = DESCRIPTIONS.map((name) => [name, slice(JSON.parse(readFileSync(`${directory}/${name}.json`, "utf8")))]);
const source = "@octokit/openapi 23.0.2 (MIT), from github/rest-api-description";
console.log(JSON.stringify({ source, ...Object.fromEntries(slices) }, null, 1));

/** Operation -> JSON Schema of its answer, `BasicError` for the others. */
function slice(description: Json): Record<string, unknown> {
  const answers = OPERATIONS.map(([method, path, status]) => [
    `${method.toUpperCase()} ${path}`,
    jsonSchema(
      description,
      description.paths?.[path]?.[method]?.responses?.[status]?.content?.["application/json"]?.schema,
    ),
  ]);
  return {
    ...Object.fromEntries(answers),
    BasicError: jsonSchema(description, description.components?.schemas?.["basic-error"]),
  };
}

/** Without references, examples, and OpenAPI 3.0's own `nullable`. */
function jsonSchema(description: Json, schema: unknown): unknown {
  if (typeof schema !== "object" || schema === null) return schema;
  if (Array.isArray(schema)) return schema.map((item) => jsonSchema(description, item));
  if ("$ref" in schema && typeof schema.$ref === "string") {
    const target = schema.$ref
      .split("/")
      .slice(1)
      .reduce<Json | undefined>((at, name) => at?.[name], description);
    return jsonSchema(description, target);
  }
  const kept = Object.entries(schema).filter(([name]) => !LEFT_OUT.includes(name));
  const converted = Object.fromEntries(kept.map(([name, value]) => [name, jsonSchema(description, value)]));
  if (!("nullable" in schema)) return converted;
  const { enum: values, ...others } = converted;
  return { anyOf: [{ ...others, ...(Array.isArray(values) && { enum: values }) }, { type: "null" }] };
}
