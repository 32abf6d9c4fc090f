import fc from "fast-check";
import { expect, test } from "vitest";
import { type Json, type JsonObject, mergeTemplates } from "../../package/merge-templates.ts";
import { effort } from "../effort.ts";
import { evaluate } from "./evaluate.ts";

const NO_VALUE = { Ref: "AWS::NoValue" };
/** A template with a resource of these properties. */
const withProperties = (Properties: JsonObject) => ({ Resources: { One: { Type: "A::B::C", Properties } } });
const mergedProperties = (whenTrue: JsonObject, whenFalse: JsonObject) =>
  mergeTemplates("C", withProperties(whenTrue), withProperties(whenFalse)).Resources;
const properties = (Properties: JsonObject) => withProperties(Properties).Resources;

test("what is equal stays, and the smallest part that differs depends on the condition", () => {
  const whenTrue = { Same: { a: [1] }, Nested: { same: 1, differs: "x", only: { deep: true } } };
  const whenFalse = { Same: { a: [1] }, Nested: { same: 1, differs: "y", other: 2 } };
  const nested = {
    same: 1,
    differs: { "Fn::If": ["C", "x", "y"] },
    only: { "Fn::If": ["C", { deep: true }, NO_VALUE] },
    other: { "Fn::If": ["C", NO_VALUE, 2] },
  };
  expect(mergedProperties(whenTrue, whenFalse)).toEqual(properties({ Same: { a: [1] }, Nested: nested }));
});

test("statements that both have stay in their order, and each of the others depends on the condition", () => {
  const statement = (Sid: string, Resource: Json = "*") => ({ Sid, Resource });
  const [a, b, c, d] = ["A", "B", "C", "D"].map((sid) => statement(sid));
  const whenTrue = { Statement: [a, b, c, statement("E", "x")] as Json[] };
  const whenFalse = { Statement: [a, c, statement("E", "y"), d] as Json[] };
  const merged = [
    a,
    { "Fn::If": ["C", b, NO_VALUE] },
    c,
    { Sid: "E", Resource: { "Fn::If": ["C", "x", "y"] } },
    { "Fn::If": ["C", NO_VALUE, d] },
  ] as Json[];
  expect(mergedProperties(whenTrue, whenFalse)).toEqual(properties({ Statement: merged }));
});

test("calls of CloudFormation's functions are chosen as a whole", () => {
  const join = (...parts: Json[]) => ({ Text: { "Fn::Join": ["", parts] } });
  const [one, other] = [join("a", { Ref: "One" }), join("a", "b", { Ref: "One" })];
  expect(mergedProperties(one, other)).toEqual(properties({ Text: { "Fn::If": ["C", one.Text, other.Text] } }));
});

test("a resource or an output that only one of them has depends on the condition", () => {
  const one = { Resources: { A: { Type: "A" } }, Outputs: { OfA: { Value: { Ref: "A" } } } };
  const other = { Resources: { B: { Type: "B" } }, Outputs: {} };
  expect(mergeTemplates("C", one, other)).toEqual({
    Resources: { A: { Type: "A", Condition: "C" }, B: { Type: "B", Condition: "NotC" } },
    Outputs: { OfA: { Value: { Ref: "A" }, Condition: "C" } },
    Conditions: { NotC: { "Fn::Not": [{ Condition: "C" }] } },
  });
});

test("a resource that depends on a condition already depends on both", () => {
  const one = { Resources: { A: { Type: "A", Condition: "D" } }, Conditions: { D: { Condition: "E" } } };
  expect(mergeTemplates("C", one, { Resources: {} })).toEqual({
    Resources: { A: { Type: "A", Condition: "CAndD" } },
    Conditions: { D: { Condition: "E" }, CAndD: { "Fn::And": [{ Condition: "C" }, { Condition: "D" }] } },
  });
});

test("what no condition can choose must not differ", () => {
  const of = (more: JsonObject) => ({ Resources: { A: { Type: "A", ...more } } });
  const merge = (one: JsonObject, other: JsonObject) => () => mergeTemplates("C", one, other);
  expect(merge(of({ Type: "A" }), of({ Type: "B" }))).toThrow("Resources A: Type differs between the templates");
  expect(merge(of({ DependsOn: ["B"] }), of({}))).toThrow("Resources A: DependsOn differs");
  expect(merge(of({}), of({ DeletionPolicy: "Retain" }))).toThrow("Resources A: DeletionPolicy differs");
  expect(merge({ Mappings: { A: 1 } }, {})).toThrow("Mappings differs");
  expect(merge({ Conditions: { A: 1 } }, { Conditions: { A: 2 } })).toThrow("Conditions A differs");
});

const text = fc.constantFrom("a", "b", "c");
const { json } = fc.letrec<{ json: Json; object: JsonObject }>((tie) => ({
  json: fc.oneof({ depthSize: "small" }, text, fc.boolean(), fc.array(tie("json"), { maxLength: 4 }), tie("object")),
  object: fc.oneof(
    fc.dictionary(text, tie("json"), { maxKeys: 3 }),
    fc.record({ Sid: text, Resource: tie("json") }),
    fc.record({ Ref: text }),
    fc.record({ "Fn::Join": fc.tuple(text, fc.array(fc.record({ Ref: text }), { maxLength: 3 })) }),
  ),
}));
/** A resource or an output that is there if conditions are `yes` or `no`, or in any case, with a value for each case. */
const presence = fc.constantFrom("yes", "no", "in any case");
const entry = fc.record({ c: presence, d: presence, values: fc.array(json, { minLength: 4, maxLength: 4 }) });
const entries = fc.dictionary(text, entry);
const CASES = ["yes", "no"].flatMap((C) => ["yes", "no"].map((D) => ({ C, D })));

test("with the conditions' values put in, a merge of merges is the template that they choose", () => {
  fc.assert(
    fc.property(entries, entries, (resources, outputs) => {
      const [both = {}, onlyC = {}, onlyD = {}, none = {}] = CASES.map(({ C, D }, index): JsonObject => {
        const present = (all: typeof resources, attribute: string) =>
          Object.entries(all).flatMap(([id, { c, d, values }]) =>
            [C, "in any case"].includes(c) && [D, "in any case"].includes(d)
              ? [[id, { [attribute]: attribute === "Value" ? values[index] : { Property: values[index] } }]]
              : [],
          );
        return {
          Resources: Object.fromEntries(present(resources, "Properties")),
          Outputs: Object.fromEntries(present(outputs, "Value")),
        };
      });
      const merged = mergeTemplates("C", mergeTemplates("D", both, onlyC), mergeTemplates("D", onlyD, none));
      const isSet = (name: string) => ({ "Fn::Equals": [{ Ref: name }, "yes"] });
      const whole = { ...merged, Conditions: { ...(merged.Conditions as JsonObject), C: isSet("C"), D: isSet("D") } };
      for (const [index, template] of [both, onlyC, onlyD, none].entries()) {
        expect(evaluate(whole, CASES[index] ?? {})).toEqual(evaluate(template, {}));
      }
    }),
    { numRuns: effort(500, 2_000) },
  );
});
