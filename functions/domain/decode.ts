/** The strict way from the bytes of a file to text and values. */

/** JSON nested this deep is corrupt; the reference fails on it. Python's default recursion limit. */
const NESTING_LIMIT = 1000;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a file, or undefined if the bytes are not UTF-8 or start with a byte order mark. */
export function decodeText(bytes: Uint8Array): string | undefined {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return undefined;
  }
  return text.startsWith("\uFEFF") ? undefined : text;
}

/** The value of a JSON document, or undefined if it is not valid JSON or is nested 1,000 deep. */
export function parseJson(text: string): unknown {
  if (isNestedTooDeep(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isNestedTooDeep(text: string): boolean {
  let depth = 0;
  let insideString = false;
  for (let index = 0; index < text.length && depth < NESTING_LIMIT; index++) {
    const character = text[index];
    if (character === '"') insideString = !insideString;
    else if (insideString) index += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
  }
  return depth >= NESTING_LIMIT;
}
