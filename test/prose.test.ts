/** Plain English where a person reads: comments, texts in the code, and documents. */
import { globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const ROOT = new URL("../", import.meta.url);

const ROOMS = {
  contract: ["contract/**/*.ts"],
  functions: ["functions/**/*.ts"],
  infra: ["infra/**/*.ts"],
  runner: ["runner/**/*.{ts,sh,ps1,cmd,yaml,tf,service}"],
  "cli and package": ["cli/**/*.{ts,md}", "package/**/*.ts"],
  local: ["local/**/*.ts"],
  docs: ["docs/**/*.{md,ts}"],
  "README and CONTRIBUTING": ["*.md"],
} as const;

const PER_THOUSAND_WORDS_MAX = 0.5;

/** Turns that no engineer says aloud today, or that make a person of a thing. A second word says what is meant by one that also has a plain use. */
const ARCHAIC: readonly RegExp[] = [
  /\b(?:told|tells?|telling|tell) of\b/,
  /\b(?:is|are|was|were|be|been) told\b/,
  /\bbesides?\b/,
  /\bwho(?:so)?ever\b/,
  /\btak(?:en?|es|ing) for (?!granted)/,
  /\btook [\w ]{1,20} for (?:dead|an?|the)\b/,
  /\banew\b/,
  /\bmend(?:s|ed|ing)?\b/,
  /\bso long (?!as)/,
  /\bso long as\b/,
  /\b(?:is|are|was|were) to be\b/,
  /\bof (?:[\w-]+ )?[\w-]+['’]s(?= (?:that|which|who|and|or|is|are|has|have|own|in|on|at|of|to|for)\b|[.,;:)])/,
  /\brings?\b(?! buffer)/,
  /\bwho (?:lives?|is ready|tells?|has uploaded)\b/,
  /\b(?:of|by|for|to|from) nobody\b/,
  /\bbelongs? to nobody\b/,
  /\bhouse\b/,
  /\bnot right\b/,
  /\bonce more\b/,
  /\bno more than that\b/,
  /[,.;:] nor\b/,
  /\b(?:can|could|can't|cannot|to) be had\b/,
  /\b(?:that|which) (?:is|are|was) none\b/,
  /\b(?:in earnest|now and then|for ever|lest|ere|hence|whence|thence|thus|therein|whereof|thereof|herein|wherein|whereby|hither|thither|amidst|whilst|albeit|betwixt|unto|shall|behold|stead)\b/,
  /\b(?:comes?|came|coming) to (?:its|their|an) end\b/,
  /\bin (?:its|their) midst\b|\bin the midst of\b/,
  /\b(?:gave|given|gives?) up for\b/,
  /\bmay it\b|\bbe it\b|\bas it were\b/,
  /\b(?:knows?|hears?|heard|learns?|speaks?) of\b/,
  /\bgoes? without saying\b/,
  /\bwhat (?:stays|remains) of\b/,
  /\bone'?s own\b/,
  /\ba life whose\b/,
  /\bbe it known\b/,
  /\b(?:made|makes|make) known\b/,
  /\bas is said\b/,
  /\bin vain\b|\bat will\b|\bby and by\b|\bon the morrow\b/,
  /\bis (?:it|there) that\b/,
  /\b(?:neither|either) will\b/,
  /\bto and fro\b/,
  /\b(?:ask|asks|asked) (?:again )?of\b/,
  /\bthat (?:alone|only) which\b/,
  /\bno (?:\w+ )?any more\b/,
];

for (const [room, patterns] of Object.entries(ROOMS)) {
  test(`${room} has at most ${PER_THOUSAND_WORDS_MAX} archaic phrases in 1,000 words`, () => {
    const texts = filesOf(patterns).map(
      (path) => [path, proseOf(path, readFileSync(new URL(path, ROOT), "utf8"))] as const,
    );
    const words = texts.reduce((sum, [, text]) => sum + (text.match(/[A-Za-z][\w'’-]*/g)?.length ?? 0), 0);
    const found = texts.flatMap(([path, text]) => phrasesIn(text).map((phrase) => `${path}: ${phrase}`));
    if (process.env.SHOW) console.log(`${room}: ${found.length} in ${words} words\n${found.join("\n")}`);
    expect(words).toBeGreaterThan(500);
    const isPlain = (found.length * 1_000) / words <= PER_THOUSAND_WORDS_MAX;
    expect(isPlain ? [] : found, `${found.length} in ${words} words`).toEqual([]);
  });
}

test("archaic phrases are found in documents, comments and texts, and not in names or code blocks", () => {
  const code = `// The run is told of it.\nconst beside = "taken for dead"; /* anew,\n * so long */ const mend = \`x; nor \${beside}\`;`;
  expect(phrasesIn(proseOf("a.ts", code)).map((phrase) => phrase.replace(/.*\[(.*)\].*/, "$1"))).toEqual([
    "is told",
    "told of",
    "taken for ",
    "anew",
    "so long ",
    "; nor",
  ]);
  const page = "Beside it\n```sh\necho anew\n```\nmends `anew` and\nis to\nbe";
  expect(phrasesIn(proseOf("a.md", page))).toHaveLength(3);
  expect(phrasesIn("as long as it runs, for the runner's files, take for granted, a ring buffer")).toEqual([]);
});

function filesOf(patterns: readonly string[]): string[] {
  return patterns.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).sort();
}

/** What a person reads in a file: without names, code and quotations of either. */
function proseOf(path: string, text: string): string {
  if (path.endsWith(".md")) return text.replace(/^(```|~~~)[\s\S]*?^\1/gm, "\n").replace(/`[^`\n]*`/g, "…");
  if (!path.endsWith(".ts"))
    return [...text.matchAll(/(?:^|\s)(?:#|::|rem) (.*)/gim)].map(([, line = ""]) => line).join("\n");
  const parts = text.matchAll(/\/\*[\s\S]*?\*\/|\/\/.*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g);
  return [...parts]
    .map(([part]) =>
      part
        .replace(/\$\{[^}]*\}/g, "…")
        .replace(/^\s*\*/gm, "")
        .replace(/(?<=\/[/*].*)`[^`\n]*`/g, "…"),
    )
    .join("\n");
}

function phrasesIn(text: string): string[] {
  const line = text.replace(/\s+/g, " ");
  return ARCHAIC.flatMap((pattern) => [...line.matchAll(new RegExp(pattern, "gi"))])
    .toSorted((one, other) => one.index - other.index)
    .map(
      ({ 0: phrase, index }) =>
        `${line.slice(Math.max(0, index - 40), index)}[${phrase}]${line.slice(index + phrase.length, index + phrase.length + 30)}`,
    );
}
