import { isDeepStrictEqual } from "node:util";

export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

const NO_VALUE = { Ref: "AWS::NoValue" };

/**
 * Two CloudFormation templates as one: where the condition of this name is true it is the first template, otherwise the second. The
 * caller defines the condition. Resources, outputs and their values may differ: a resource or output that only one template has depends on
 * the condition, and where values differ the smallest part of them that does. Throws if anything else differs, where CloudFormation allows
 * no `Fn::If`.
 */
export function mergeTemplates(condition: string, whenTrue: JsonObject, whenFalse: JsonObject): JsonObject {
  const conditions: Record<string, Json> = {};
  const define = (name: string, definition: Json) => {
    conditions[name] = definition;
    return name;
  };
  const onlyIf = (holds: boolean, entry: JsonObject) => {
    const outer = holds ? condition : define(`Not${condition}`, { "Fn::Not": [{ Condition: condition }] });
    const { Condition: inner } = entry;
    if (typeof inner !== "string") return { ...entry, Condition: outer };
    const both = { "Fn::And": [{ Condition: outer }, { Condition: inner }] };
    return { ...entry, Condition: define(`${outer}And${inner}`, both) };
  };
  const entries = (section: string, one: JsonObject, other: JsonObject) =>
    byKey(one, other, (id, ofOne, ofOther) => {
      if (ofOther === undefined) return onlyIf(true, ofOne as JsonObject);
      if (ofOne === undefined) return onlyIf(false, ofOther as JsonObject);
      return mergeEntry(condition, `${section} ${id}`, ofOne as JsonObject, ofOther as JsonObject);
    });
  const merged = byKey(whenTrue, whenFalse, (section, one, other) => {
    const [ofOne, ofOther] = [(one ?? {}) as JsonObject, (other ?? {}) as JsonObject];
    if (section === "Resources" || section === "Outputs") return entries(section, ofOne, ofOther);
    if (section !== "Conditions") return same(section, one, other);
    return byKey(ofOne, ofOther, (name, a, b) => same(`Conditions ${name}`, a ?? b, b ?? a));
  });
  return { ...merged, Conditions: { ...(merged.Conditions as JsonObject), ...conditions } };
}

/** A resource or an output that both have. */
function mergeEntry(condition: string, where: string, one: JsonObject, other: JsonObject): JsonObject {
  return byKey(one, other, (attribute, ofOne, ofOther) => {
    if (attribute === "Properties")
      return mergeObjects(condition, (ofOne ?? {}) as JsonObject, (ofOther ?? {}) as JsonObject);
    return attribute === "Value"
      ? mergeValues(condition, ofOne, ofOther)
      : same(`${where}: ${attribute}`, ofOne, ofOther);
  });
}

function mergeValues(condition: string, one: Json | undefined, other: Json | undefined): Json {
  if (one !== undefined && isDeepStrictEqual(one, other)) return one;
  if (isArray(one) && isArray(other)) return mergeArrays(condition, one, other);
  if (isPlainObject(one) && isPlainObject(other)) return mergeObjects(condition, one, other);
  return { "Fn::If": [condition, one ?? NO_VALUE, other ?? NO_VALUE] };
}

function mergeObjects(condition: string, one: JsonObject, other: JsonObject): JsonObject {
  return byKey(one, other, (_, ofOne, ofOther) => mergeValues(condition, ofOne, ofOther));
}

/** Elements that correspond are merged: equal ones, and policy statements of the same Sid. The others depend on the condition. */
function mergeArrays(condition: string, one: readonly Json[], other: readonly Json[]): readonly Json[] {
  const merged: Json[] = [];
  let rest = other;
  for (const item of one) {
    const index = rest.findIndex((candidate) => corresponds(item, candidate));
    const only = rest.slice(0, Math.max(0, index)).map((before) => mergeValues(condition, undefined, before));
    merged.push(...only, mergeValues(condition, item, rest[index]));
    rest = rest.slice(index + 1);
  }
  return [...merged, ...rest.map((item) => mergeValues(condition, undefined, item))];
}

function corresponds(one: Json, other: Json): boolean {
  if (isDeepStrictEqual(one, other)) return true;
  return isPlainObject(one) && isPlainObject(other) && one.Sid !== undefined && one.Sid === other.Sid;
}

function byKey(
  one: JsonObject,
  other: JsonObject,
  merge: (key: string, ofOne: Json | undefined, ofOther: Json | undefined) => Json,
): JsonObject {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries([...keys].map((key) => [key, merge(key, one[key], other[key])]));
}

function same(where: string, one: Json | undefined, other: Json | undefined): Json {
  if (one === undefined || !isDeepStrictEqual(one, other)) throw new Error(`${where} differs between the templates`);
  return one;
}

function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** Not a call of one of CloudFormation's functions, whose arguments can't be merged one by one. */
function isPlainObject(value: Json | undefined): value is JsonObject {
  if (typeof value !== "object" || value === null || isArray(value)) return false;
  const [key = "", ...others] = Object.keys(value);
  return others.length > 0 || (key !== "Ref" && !key.startsWith("Fn::"));
}
