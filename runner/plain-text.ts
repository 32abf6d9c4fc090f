import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

/**
 * The text of a file that somebody else may own: configuration, a ticket, a token. Links are followed (Kubernetes makes them), pipes are
 * not waited for. Undefined if it can't be read or is larger than `bytesMax`.
 */
export function readPlainText(path: string, bytesMax: number): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const { size } = fstatSync(descriptor);
    if (!fstatSync(descriptor).isFile() || size > bytesMax) return undefined;
    const bytes = Buffer.alloc(bytesMax);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return bytes.toString("utf8", 0, length);
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
