/** As much of CloudWatch's filter patterns as ours use: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html */
export function isMatched(pattern: string, event: object): boolean {
  const [, terms = ""] = /^\{ (.*) \}$/.exec(pattern) ?? [];
  return terms.split(" && ").every((term) => {
    const [, path = "", operation = ""] = /^\(\$\.([\w.]+) (.*)\)$/.exec(term) ?? [];
    const value = path
      .split(".")
      .reduce<unknown>((object, name) => (object as Record<string, unknown> | undefined)?.[name], event);
    const [, text] = /^= "(.*)"$/.exec(operation) ?? [];
    if (text !== undefined) return text === "*" ? typeof value === "string" : value === text;
    if (operation === ">= 0") return typeof value === "number" && value >= 0;
    if (operation === "NOT EXISTS") return value === undefined;
    throw new Error(`The term ${term} is not known here`);
  });
}
