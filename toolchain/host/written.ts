import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** What podnet last wrote into a stack's config. */
export interface Written {
  /** Hash of the config and of what podnet wanted in it. */
  readonly state?: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** Reads what podnet last wrote into a stack's config; nothing when it has written none. */
export function readWritten(path: string): Written {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Written;
  } catch {
    return { settings: {} };
  }
}

/** Hash of a config and of what podnet wants in it: while it stays the same there is nothing to write. */
export function configState(config: unknown, wanted: Readonly<Record<string, string>>): string {
  return createHash("sha256")
    .update(JSON.stringify([config, wanted]))
    .digest("hex");
}

/** What of `wanted` has to be written: what is not so already, and was not set to something else by somebody else. */
export function configChanges(
  wanted: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string | undefined>>,
  written: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(wanted).filter(([key, value]) => {
      const current = now[key];
      return current === undefined || (current !== value && current === written[key]);
    }),
  );
}

/** Value of a scalar of YAML on one line; undefined where it is one that podnet's own settings are never written as. */
function scalar(text: string): string | undefined {
  const [, inner] = /^'(.*)'$/.exec(text) ?? [];
  if (inner !== undefined) {
    return inner.replaceAll("''", "'");
  }
  return /^"[^"\\]*"$/.test(text) ? text.slice(1, -1) : /^["'|>&*!]/.test(text) ? undefined : text;
}

/** One of podnet's settings in a stack's config file; undefined where it is not set, or is no plain text on one line. */
export function settingIn(config: string, key: string): string | undefined {
  const [, value] = config.match(new RegExp(`^ +["']?podnet:${key}["']?: +(.+?) *$`, "m")) ?? [];
  return value === undefined ? undefined : scalar(/^["']/.test(value) ? value : value.replace(/ +#.*$/, ""));
}

/**
 * A stack's config file without the settings that podnet wrote and nobody changed since, and without the seal where it holds no
 * secret. Empty where nothing is left.
 */
export function withoutWritten(config: string, written: Readonly<Record<string, string>>): string {
  const others = config.split("\n").filter((line) => {
    const [, key = "", value = ""] = /^ +podnet:(\w+): (.+?) *$/.exec(line) ?? [];
    return written[key] === undefined || scalar(value) !== written[key];
  });
  const sealed = others.some((line) => /^\s.*\bsecure\b/.test(line));
  const left = others.filter((line) => sealed || !line.startsWith("encryptionsalt:")).join("\n");
  const text = left.replace(/^config:(?: \{\})?\n(?!\n*[ #])/m, "");
  return text.trim() === "" ? "" : text;
}
