/**
 * Text that may be from a runner, for a terminal: everything but printable ASCII is escaped as in JSON, without the quotes. So it can't
 * move the cursor, change colours, reorder the line or look like another name.
 */
export function escapeText(text: string): string {
  return text.replaceAll(/[^ -~]|\\/gu, escapeCharacter);
}

function escapeCharacter(character: string): string {
  if (character === "\\") return "\\\\";
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return code > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
}
