import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** Folder of podnet's package, whether it runs from its sources or compiled. Throws when it is not inside one. */
export function packageFolder(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && (JSON.parse(readFileSync(manifest, "utf8")) as { name?: string }).name === "podnet") {
      return folder;
    }
    if (dirname(folder) === folder) {
      throw new Error(`${__dirname} is not inside the package podnet`);
    }
  }
}

/** Folder of the node program as it is uploaded: what `npm run build` puts together. */
export function programFolder(): string {
  return join(packageFolder(), "dist", "node-program");
}

/** Paths of all files in a folder and below it, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Parts that a file of the program loads, by its `use NAME` lines, such as `lib/node`. */
export function usedParts(text: string): string[] {
  return [...text.matchAll(/^use ([a-z0-9/-]+)$/gm)].map((match) => match[1] ?? "");
}

/** Data files that a part reads, by `$ROOT/files/NAME` and `$ROOT/NAME` in its text. */
function readFilesOf(text: string): string[] {
  return [...text.matchAll(/\$ROOT\/((?:files\/)?[a-z][a-z.-]*)(?=["'\s])/g)].map((match) => match[1] ?? "");
}

/** Parts of a kind of network that a file loads, by its `use "networks/$1/NAME"`: `node` or `cluster`. */
function networkPartsOf(text: string): string[] {
  return [...text.matchAll(/use "networks\/\$1\/([a-z]+)"/g)].map((match) => match[1] ?? "");
}

const ALWAYS = ["lib/core", "lib/parameters", "lib/wait", "lib/record"];

/**
 * Paths of the files that a phase is made of: its own, what it uses, and the data files those read. `network` adds what
 * the phase loads of one kind of network. Throws when a part is missing.
 */
export function phaseFiles(phase: string, network?: string, folder = programFolder()): string[] {
  const found = new Set<string>();
  const networkParts = new Set<string>();
  const add = (part: string): void => {
    const path = `${part}.sh`;
    if (found.has(path)) {
      return;
    }
    found.add(path);
    const text = readFileSync(join(folder, path), "utf8");
    usedParts(text).forEach(add);
    networkPartsOf(text).forEach((name) => networkParts.add(name));
    for (const file of readFilesOf(text)) {
      if (existsSync(join(folder, file)) && file !== "podnet") {
        found.add(file);
      }
    }
  };
  [...ALWAYS, `phases/${phase}`].forEach(add);
  if (network !== undefined) {
    for (const part of [...networkParts]) {
      if (existsSync(join(folder, "networks", network, `${part}.sh`))) {
        add(`networks/${network}/${part}`);
      }
    }
  }
  return [...found].sort();
}

const hashes = new Map<string, string>();

/** Hash of the files that a phase is made of: another one means that a node has to apply the phase again. */
export function phaseHash(phase: string, network?: string, folder = programFolder()): string {
  const key = `${folder} ${phase} ${network ?? ""}`;
  let hash = hashes.get(key);
  if (hash === undefined) {
    const sum = createHash("sha256");
    for (const path of phaseFiles(phase, network, folder)) {
      sum
        .update(`${path}\0`)
        .update(readFileSync(join(folder, path)))
        .update("\0");
    }
    hash = sum.digest("hex").slice(0, 16);
    hashes.set(key, hash);
  }
  return hash;
}
