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
 * Writes a file on a node as a here-document of base64, so that its content needs no quoting: to a temporary name
 * beside the target, then renamed, so that a reader sees the old file or the new one and never half of either.
 */
export function writeFile(path: string, content: string, mode = "0644"): string {
  const body = Buffer.from(content, "utf8").toString("base64");
  const temporary = quote(`${path}.podnet-new`);
  const directory = path.slice(0, path.lastIndexOf("/"));
  return [
    `mkdir -p ${quote(directory)}`,
    `(umask 077 && printf %s ${quote(body)} | base64 -d >${temporary})`,
    `chmod ${mode} ${temporary}`,
    `mv -f ${temporary} ${quote(path)}`,
    "",
  ].join("\n");
}
