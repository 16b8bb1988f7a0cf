import { createHash } from "node:crypto";
import { open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { systemErrorText } from "./gotext";
import { signatureKey, signatures, type Value, type ValueMap } from "./value";

function literal(character: string | undefined): string {
  return character === undefined ? "" : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** The expression of `[abc]`, `[a-c]` or `[!a]`, whose bracket opens at `start`, and where it closes. */
function rangeAt(glob: readonly string[], start: number): { source: string; end: number } {
  const not = glob[start + 1] === "!";
  let at = start + (not ? 2 : 1);
  let characters = "";
  if (glob[at] !== undefined && glob[at + 1] === "-") {
    const [low = "", , high, close] = glob.slice(at, at + 4);
    if (high === undefined || close === undefined) {
      throw new Error("unexpected end of input");
    }
    if (close !== "]") {
      throw new Error("expected close range character");
    }
    if (high < low) {
      throw new Error(`hi character '${high}' should be greater than lo '${low}'`);
    }
    characters = `${literal(low)}-${literal(high)}`;
    at += 3;
  } else {
    for (; glob[at] !== "]"; at++) {
      at += glob[at] === "\\" ? 1 : 0;
      if (glob[at] === undefined) {
        throw new Error("unexpected end of input");
      }
      characters += literal(glob[at]);
    }
    if (characters === "") {
      throw new Error("could not parse range");
    }
  }
  return { source: `[${not ? "^" : ""}${characters}]`, end: at };
}

/**
 * Turns a glob into an expression for whole paths, as github.com/gobwas/glob reads it: `*` and `?` stay within a folder, `**` does
 * not, `[abc]`, `[a-c]` and `[!a]` are one character, `{a,b}` is either, also when it is not closed, `\` takes a character as it is.
 */
export function globToRegExp(glob: string): RegExp {
  const characters = Array.from(glob);
  let source = "";
  let depth = 0;
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] ?? "";
    if (character === "*") {
      const any = characters[i + 1] === "*";
      i += any ? 1 : 0;
      source += any ? ".*" : "[^/]*";
    } else if (character === "?") {
      source += "[^/]";
    } else if (character === "[") {
      const range = rangeAt(characters, i);
      source += range.source;
      i = range.end;
    } else if (character === "{") {
      depth++;
      source += "(?:";
    } else if (character === "}" && depth > 0) {
      depth--;
      source += ")";
    } else if (character === "," && depth > 0) {
      source += "|";
    } else if (character === "\\") {
      source += literal(characters[++i]);
    } else {
      source += literal(character);
    }
  }
  return new RegExp(`^${source}${")".repeat(depth)}$`, "su");
}

/** A file as an asset. Throws in the official provider's words. */
async function fileAsset(path: string): Promise<Value> {
  const absolute = resolve(path);
  const file = await open(absolute).catch((error: unknown) => {
    throw new Error(`failed to open asset file '${absolute}': open ${absolute}: ${systemErrorText(error)}`, {
      cause: error,
    });
  });
  try {
    if ((await file.stat()).isDirectory()) {
      throw new Error(`asset path '${absolute}' is a directory; try using an archive`);
    }
    const hash = createHash("sha256");
    await pipeline(file.createReadStream({ autoClose: false }), hash);
    return { [signatureKey]: signatures.asset, hash: hash.digest("hex"), path };
  } finally {
    await file.close();
  }
}

/** Files below a folder that the globs select, as assets by path. The last glob that fits a path decides; `!` excludes. */
export async function findAssets(dir: string, globs: readonly string[]): Promise<ValueMap> {
  const rules = globs.map((glob) => ({
    exclude: glob.startsWith("!"),
    pattern: globToRegExp(glob.replace(/^!/, "")),
  }));
  const assets: Record<string, Value> = {};
  const walk = async (folder: string): Promise<void> => {
    const entries = await readdir(join(dir, folder), { withFileTypes: true }).catch((error: unknown) => {
      throw new Error(`${folder === "" ? "stat ." : `open ${folder}`}: ${systemErrorText(error)}`, { cause: error });
    });
    for (const entry of entries) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        await walk(path);
        continue;
      }
      // A file that is excluded in the end has to be one that can be read all the same.
      const matching = rules.filter(({ pattern }) => pattern.test(path));
      const asset = matching.some(({ exclude }) => !exclude) ? await fileAsset(join(dir, path)) : undefined;
      if (asset !== undefined && matching.at(-1)?.exclude === false) {
        assets[path] = asset;
      }
    }
  };
  if (dir === "") {
    throw new Error("stat .: os: DirFS with empty root");
  }
  await walk("");
  return assets;
}
