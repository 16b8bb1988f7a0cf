import { createHash } from "node:crypto";

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

/** Assigns values to shell variables, one quoted assignment a line; the names must be plain identifiers. */
export function assignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new Error(`"${name}" is not a shell variable name`);
      }
      return `${name}=${quote(value)}\n`;
    })
    .join("");
}

/**
 * Writes a file on a node, out of a here-document that is not expanded: to a temporary name beside the target, then
 * renamed, so that a reader sees the old file or the new one and never half of either. The content is text that ends with
 * a line break; `mode` is octal.
 */
export function writeFile(path: string, content: string, mode = "0644"): string {
  if (!content.endsWith("\n") || content.includes("\0")) {
    throw new Error(`${path}: a file for a node must be text that ends with a line break`);
  }
  // No line of the content can be the delimiter: it would have to hold its own hash.
  const end = `END_${createHash("sha256").update(content).digest("hex").slice(0, 16)}`;
  const temporary = quote(`${path}.podnet-new`);
  return `mkdir -p ${quote(path.slice(0, path.lastIndexOf("/")))}
(umask 077; cat >${temporary}) <<'${end}'
${content}${end}
chmod ${mode} ${temporary}
mv -f ${temporary} ${quote(path)}
`;
}
