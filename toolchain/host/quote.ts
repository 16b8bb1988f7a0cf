/**
 * Quotes one value as a single word of a POSIX shell: single quotes, and every single quote of the value closed,
 * escaped and reopened. Throws on a NUL byte, which no shell word can hold.
 */
export function quote(value: string): string {
  if (value.includes("\0")) {
    throw new Error("a shell word cannot hold a NUL byte");
  }
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
