import { randomBytes } from "node:crypto";
import type { RunnerFileName } from "../contract/runner-file-grammar.ts";
import { readPlainText } from "./plain-text.ts";
import { type Checked, httpUrl } from "./settings.ts";

/** The form of a presigned POST for one file. */
export interface TicketForm {
  readonly url: URL;
  readonly fields: ReadonlyMap<string, string>;
}

export interface Ticket {
  readonly forms: ReadonlyMap<RunnerFileName, TicketForm>;
  /** Where all its files go: the storage that its signer chose. */
  readonly storage: string;
}

const TICKET_BYTES_MAX = 256 * 1024;

/** Reads a ticket: lines `FILE url URL` and `FILE field NAME VALUE`. Other lines are ignored. */
export function readTicket(path: string): Checked<Ticket> {
  const text = readPlainText(path, TICKET_BYTES_MAX);
  if (text === undefined) return { problem: "cannot read the ticket (RUNNER_METRICS_TICKET)" };
  const urls = new Map<string, URL>();
  const fields = new Map<string, Map<string, string>>();
  for (const line of text.split(/\r?\n/)) {
    const [file = "", kind, name = "", value] = line.split(" ");
    if (kind === "url") {
      const url = isPlain(name) ? httpUrl(name) : undefined;
      if (url && !urls.has(file)) urls.set(file, url);
    } else if (kind === "field" && isPlain(name) && value !== undefined && isPlain(value)) {
      fields.set(file, (fields.get(file) ?? new Map<string, string>()).set(name, value));
    }
  }
  const forms = [...urls].flatMap(([file, url]): [RunnerFileName, TicketForm][] => {
    const own = fields.get(file);
    return own ? [[file as RunnerFileName, { url, fields: own }]] : [];
  });
  const [, { fields: first = new Map<string, string>() } = {}] = forms[0] ?? [];
  const [, , storage = ""] = (first.get("key") ?? "").split("/", 3);
  return { value: { forms: new Map(forms), storage } };
}

/** The body of a form with the file as its last field, and its type. https://www.rfc-editor.org/rfc/rfc7578 */
export function formBody({ fields }: TicketForm, content: string): { readonly body: string; readonly type: string } {
  const boundary = randomBytes(16).toString("hex");
  const part = (name: string, value: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const parts = [...fields].map(([name, value]) => part(name, value));
  const file = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n`;
  return { body: `${parts.join("")}${file}--${boundary}--\r\n`, type: `multipart/form-data; boundary=${boundary}` };
}

/** Printable ASCII without blanks, quotes and backslashes. */
function isPlain(text: string): boolean {
  return /^[!#-[\]-~]+$/.test(text);
}
