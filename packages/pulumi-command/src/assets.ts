import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { quote } from "./gotext";
import { signatureKey, signatures, type Value, type ValueMap } from "./value";

/**
 * Turns a glob into an expression for whole paths: `*` and `?` stay within a folder, `**` does not, `[a-c]`, `[!a]` and
 * `{a,b}` as in github.com/gobwas/glob, `\` takes a character as it is.
 */
export function globToRegExp(glob: string): RegExp {
  let source = "";
  let depth = 0;
  const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  for (let i = 0; i < glob.length; i++) {
    const character = glob.charAt(i);
    const range = character === "[" ? /^\[(!?)([^\]]+)\]/.exec(glob.slice(i)) : null;
    if (character === "*") {
      const any = glob.charAt(i + 1) === "*";
      i += any ? 1 : 0;
      source += any ? ".*" : "[^/]*";
    } else if (character === "?") {
      source += "[^/]";
    } else if (range) {
      source += `[${range[1] ? "^" : ""}${(range[2] ?? "").replace(/[\\\]^[]/g, "\\$&")}]`;
      i += range[0].length - 1;
    } else if (character === "{") {
      depth++;
      source += "(?:";
    } else if (character === "}" && depth > 0) {
      depth--;
      source += ")";
    } else if (character === "," && depth > 0) {
      source += "|";
    } else if (character === "\\" && i + 1 < glob.length) {
      source += literal(glob.charAt(++i));
    } else {
      source += literal(character);
    }
  }
  if (depth > 0 || /(^|[^\\])\[[^\]]*$/.test(glob)) {
    throw new Error(`invalid glob ${quote(glob)}: a bracket is not closed`);
  }
  return new RegExp(`^${source}$`, "su");
}

/** Files below a folder that the globs select, as assets by path. The last glob that fits a path decides; `!` excludes. */
export async function findAssets(dir: string, globs: readonly string[]): Promise<ValueMap> {
  const rules = globs.map((glob) => ({
    exclude: glob.startsWith("!"),
    pattern: globToRegExp(glob.replace(/^!/, "")),
  }));
  const assets: Record<string, Value> = {};
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(dir, folder), { withFileTypes: true });
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        await walk(path);
        continue;
      }
      const matching = rules.filter(({ pattern }) => pattern.test(path));
      if (matching.length > 0 && !matching.at(-1)?.exclude) {
        const hash = createHash("sha256");
        await pipeline(createReadStream(join(dir, path)), hash);
        assets[path] = { [signatureKey]: signatures.asset, hash: hash.digest("hex"), path: join(dir, path) };
      }
    }
  };
  await walk("");
  return assets;
}
