/** A template as CloudFormation sees it with these values of its parameters. */
import assert from "node:assert/strict";
import type { Json, JsonObject } from "../../package/merge-templates.ts";

export interface Evaluated {
  readonly Resources: Readonly<Record<string, JsonObject>>;
  readonly Outputs: Readonly<Record<string, JsonObject>>;
  /** What the template's rules say against these values: CloudFormation then changes nothing. */
  readonly refusals: readonly string[];
}

interface Rule {
  readonly RuleCondition?: Json;
  readonly Assertions: readonly { readonly Assert: Json; readonly AssertDescription: string }[];
}

/** What exists, with values chosen by its conditions, parameters put in and texts joined. What only AWS knows stays. */
export function evaluate(template: JsonObject, values: Readonly<Record<string, string>>): Evaluated {
  const conditions = (template.Conditions ?? {}) as JsonObject;
  const isTrue = (name: Json | undefined) => {
    assert(typeof name === "string" && name in conditions, `there is no condition ${name}`);
    return holds(conditions[name]);
  };
  const section = (name: string) =>
    Object.fromEntries(
      Object.entries((template[name] ?? {}) as JsonObject).flatMap(([id, entry]) => {
        const { Condition, ...attributes } = entry as JsonObject;
        return Condition === undefined || isTrue(Condition) ? [[id, resolve(attributes) as JsonObject]] : [];
      }),
    );
  const rules = Object.values((template.Rules ?? {}) as unknown as Readonly<Record<string, Rule>>);
  const refusals = rules
    .filter(({ RuleCondition }) => RuleCondition === undefined || holds(RuleCondition))
    .flatMap(({ Assertions }) => Assertions.filter(({ Assert }) => !holds(Assert)))
    .map(({ AssertDescription }) => AssertDescription);
  return { Resources: section("Resources"), Outputs: section("Outputs"), refusals };

  function holds(condition: Json | undefined): boolean {
    const [[name, operands] = ["", undefined]] = Object.entries(condition as JsonObject);
    if (name === "Condition") return isTrue(operands);
    const all = operands as readonly Json[];
    if (name === "Fn::And") return all.every(holds);
    if (name === "Fn::Not") return !holds(all[0]);
    assert.equal(name, "Fn::Equals");
    return resolve(all[0]) === resolve(all[1]);
  }

  /** Undefined for `AWS::NoValue`. */
  function resolve(value: Json | undefined): Json | undefined {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(resolve).filter((item) => item !== undefined);
    const { Ref, "Fn::If": choice, "Fn::Join": join } = value as JsonObject;
    if (Ref === "AWS::NoValue") return undefined;
    if (typeof Ref === "string" && Ref in values) return values[Ref];
    if (choice) {
      const [name, whenTrue, whenFalse] = choice as readonly Json[];
      return resolve(isTrue(name) ? whenTrue : whenFalse);
    }
    const entries = Object.entries(value as JsonObject).flatMap(([key, item]) => {
      const evaluated = resolve(item);
      return evaluated === undefined ? [] : [[key, evaluated]];
    });
    const evaluated = Object.fromEntries(entries) as JsonObject;
    if (!join) return evaluated;
    const [separator, parts] = evaluated["Fn::Join"] as [string, readonly Json[]];
    return parts.every((part) => typeof part === "string") ? parts.join(separator) : evaluated;
  }
}
