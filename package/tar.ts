export interface TarEntry {
  /** At most 100 ASCII characters. A name that ends with `.sh` is executable. */
  readonly name: string;
  readonly content: Uint8Array;
}

const BLOCK = 512;

/** A tar archive (POSIX ustar) that depends on nothing but names and content: no times, no owners. */
export function tar(entries: readonly TarEntry[]): Uint8Array {
  const blocks = entries.flatMap(({ name, content }) => {
    const padding = Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK);
    return [header(name, content.length), content, padding];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, "ustar Interchange Format" */
function header(name: string, size: number): Buffer {
  if (name.length > 100) throw new Error(`Too long for a tar archive: ${name}`);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, "0")}\0`;
  const block = Buffer.alloc(BLOCK);
  const mode = name.endsWith(".sh") ? 0o755 : 0o644;
  block.write(name);
  block.write(octal(mode, 8) + octal(0, 8) + octal(0, 8) + octal(size, 12) + octal(0, 12), 100);
  block.write("        0", 148); // The checksum counts as blanks; then the type, a file.
  block.write("ustar\x0000", 257);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${checksum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}
