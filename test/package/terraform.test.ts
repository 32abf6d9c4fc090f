/** The Terraform module against the release's templates. Reads the files as text: what Terraform itself says of them is in docs/use/install.md. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { templateName } from "../../package/template.ts";
import { templates } from "./templates.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const main = read("terraform/main.tf");
const outputs = read("terraform/outputs.tf");
const example = read("terraform/examples/terraform-aws-github-runner/main.tf");

const names = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map(([, name = ""]) => name))];
const variablesFile = read("terraform/variables.tf");
const variables = names(variablesFile, /^variable "(\w+)"/gm);

const block = /parameters = merge\(([\s\S]*?)\n {2}\)/.exec(main)?.[1] ?? "";

test.each(templates)("the module sets every parameter of $name, and no other", ({ options: { flavors }, template }) => {
  const fixed = names(block, /^ {6}(\w+) += /gm);
  expect(block).toContain(`"Flavor${"$"}{index + 1}" => flavor`);
  const set = [...fixed, ...Array.from({ length: flavors }, (_, index) => `Flavor${index + 1}`)];
  expect(set.toSorted()).toEqual(Object.keys(template.Parameters as object).toSorted());
});

test("github has an attribute for each parameter about GitHub, with the same default", () => {
  const type = /variable "github" \{([\s\S]*?)\n\}/.exec(variablesFile)?.[1] ?? "";
  const attributes = Object.fromEntries(
    [...type.matchAll(/^ {4}(\w+) += (?:list\(string\)|optional\(string, "(.*)"\))$/gm)].map(
      ([, name = "", byDefault = ""]) => [name, byDefault],
    ),
  );
  const parameters = Object.entries(templates[0]?.template.Parameters as Record<string, { Default?: string }>);
  const ofGithub = parameters.filter(([name]) => name.startsWith("Github"));
  const snakeCase = (name: string) => name.replace(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  const expected = ofGithub.map(([name, { Default }]) => [snakeCase(name.replace("Github", "")), Default]);
  expect(attributes).toEqual(Object.fromEntries(expected));
  const used = [...block.matchAll(/Github(\w+) += (?:join\(",", )?var\.github\.(\w+)/g)];
  expect(used.map(([, parameter = "", attribute]) => [snakeCase(parameter), attribute])).toEqual(
    ofGithub.map(([name]) => snakeCase(name.replace("Github", ""))).map((name) => [name, name]),
  );
});

test.each(templates)("every output that the module reads is one of $name", ({ template, options: { flavors } }) => {
  const read = names(outputs, /outputs\["([^"]+)"\]/g);
  expect(read.length).toBeGreaterThan(8);
  for (let flavor = 1; flavor <= flavors; flavor++) {
    const wanted = read.map((name) => name.replace("$" + "{index + 1}", String(flavor)));
    expect(Object.keys(template.Outputs as object)).toEqual(expect.arrayContaining(wanted));
  }
});

test("the module names templates as the release does", () => {
  const name =
    "runner-metrics-$" + "{local.flavor_count}-flavor$" + '{local.flavor_count == 1 ? "" : "s"}.template.json"';
  expect(main).toContain(name);
  expect(templateName({ flavors: 1 })).toBe("runner-metrics-1-flavor.template.json");
  expect(templateName({ flavors: 3 })).toBe("runner-metrics-3-flavors.template.json");
});

test("templates need no more than CAPABILITY_IAM: no role, policy or profile has a name", () => {
  for (const { template } of templates) {
    for (const { Type, Properties = {} } of Object.values(
      template.Resources as Record<string, { Type: string; Properties?: object }>,
    )) {
      // An inline policy has a name within its role.
      if (Type.startsWith("AWS::IAM::") && Type !== "AWS::IAM::Policy")
        expect(Object.keys(Properties)).not.toContain(`${/Role|Policy|Profile/.exec(Type)?.[0]}Name`);
    }
  }
  expect(main).toContain('capabilities = ["CAPABILITY_IAM"]');
});

test("every variable is used, and the example sets only variables and reads only outputs that there are", () => {
  expect(names(main, /var\.(\w+)/g).toSorted()).toEqual(
    expect.arrayContaining(variables.filter((name) => name !== "tags").toSorted()),
  );
  expect(names(main + outputs, /var\.(\w+)/g).toSorted()).toEqual(variables.toSorted());
  const module = /module "metrics" \{([\s\S]*?)\n\}/.exec(example)?.[1] ?? "";
  const set = names(module, /^ {2}(\w+) += /gm).filter((name) => name !== "source");
  expect(variables).toEqual(expect.arrayContaining(set));
  const declared = names(outputs, /^output "(\w+)"/gm);
  expect(declared).toEqual(expect.arrayContaining(names(example, /module\.metrics\.(\w+)/g)));
});

test("the example sets up runners as the recipe does", () => {
  const from = (text: string) => text.slice(text.indexOf("  userdata_pre_install"));
  expect(from(example)).toBe(from(read("runner/recipes/terraform-aws-github-runner.tf")));
});
