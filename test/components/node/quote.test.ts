import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { assignments, quote, writeFile } from "../../../components/node/quote";
import { localCommand, remoteCommand, scriptText } from "../../../components/node/command";
import { dnsLabel, image, isLabelKey, isLabelValue, mirrorUrl } from "../../../components/args/schemas";

const folder = mkdtempSync(join(tmpdir(), "podnet-quote-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Text with more of what shells read than chance would give. */
const nasty = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("'", '"', "`", "$(id)", "${x}", "\\", "\n", ";", "&", "|", "*", "~", " ", "!", "#", "END", "<<"),
    ),
  )
  .map((parts) => parts.join("").replaceAll("\0", ""))
  .filter((text) => Buffer.from(text, "utf8").toString("utf8") === text);

const bash = (script: string): string =>
  execFileSync("bash", ["--norc", "--noprofile", "-euo", "pipefail", "-c", script], { encoding: "utf8" });

describe("quote", () => {
  test("leaves every value one word, unchanged", () => {
    fc.assert(
      fc.property(fc.array(nasty, { minLength: 1, maxLength: 20 }), (values) => {
        // A NUL after each word shows where one ends; no word can hold one itself.
        const seen = bash(`printf '%s\\0' ${values.map(quote).join(" ")}`);
        expect(seen.split("\0").slice(0, -1)).toEqual(values);
      }),
      { numRuns: 60 },
    );
  });

  test("leaves every value the schemas accept unchanged, wherever it comes", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9]([-_.A-Za-z0-9]{0,20}[A-Za-z0-9])?$/);
    const accepted = fc.oneof(
      fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/).filter((text) => dnsLabel.safeParse(text).success),
      fc
        .oneof(
          word,
          fc.tuple(fc.constant("example.com"), word).map((parts) => parts.join("/")),
        )
        .filter(isLabelKey),
      fc.oneof(word, fc.constant("")).filter(isLabelValue),
      fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,30}$/).filter((text) => image.safeParse(text).success),
      fc
        .stringMatching(/^https:\/\/[a-z][A-Za-z0-9._~:@%+/-]{0,30}$/)
        .filter((text) => mirrorUrl.safeParse(text).success),
    );
    fc.assert(
      fc.property(fc.array(accepted, { minLength: 1, maxLength: 10 }), (values) => {
        const names = values.map((_, index) => `v${String(index)}`);
        const script = assignments(Object.fromEntries(values.map((value, index) => [`v${String(index)}`, value])));
        expect(
          bash(`${script}printf '%s\\0' ${names.map((name) => `"$${name}"`).join(" ")}`)
            .split("\0")
            .slice(0, -1),
        ).toEqual(values);
      }),
      { numRuns: 40 },
    );
  });

  test("is never reached by a name or label that a shell would read: the schemas refuse it", () => {
    const special = fc.tuple(
      fc.string(),
      fc.constantFrom("'", '"', "`", "$", "\\", "\n", ";", "&", "|", " "),
      fc.string(),
    );
    fc.assert(
      fc.property(special, (parts) => {
        const text = parts.join("");
        expect(dnsLabel.safeParse(text).success).toBe(false);
        expect(image.safeParse(text).success).toBe(false);
        expect(mirrorUrl.safeParse(text).success).toBe(false);
        expect(isLabelKey(text)).toBe(false);
        expect(isLabelValue(text)).toBe(false);
      }),
    );
  });

  test("refuses what no shell word can hold", () => {
    expect(() => quote("a\0b")).toThrow("a shell word cannot hold a NUL byte");
    expect(() => assignments({ "a b": "c" })).toThrow('"a b" is not a shell variable name');
  });
});

describe("writeFile", () => {
  test("writes any text as it is, with its mode", () => {
    const path = join(folder, "it's a 'file'");
    fc.assert(
      fc.property(nasty, (text) => {
        bash(writeFile(path, `${text}\n`, "0600"));
        expect(readFileSync(path, "utf8")).toBe(`${text}\n`);
        expect(statSync(path).mode & 0o777).toBe(0o600);
      }),
      { numRuns: 60 },
    );
  });

  test("refuses text that a here-document would change", () => {
    expect(() => writeFile("/x/y", "no line break")).toThrow(
      "/x/y: a file for a node must be text that ends with a line break",
    );
  });
});

describe("scripts by standard input", () => {
  const run = (action: "create" | "delete", scripts: { create: string; delete?: string }) =>
    spawnSync("sh", ["-c", localCommand(action)], { input: scriptText(scripts), encoding: "utf8" });

  test("run the one that is asked for, with any value in it", () => {
    fc.assert(
      fc.property(nasty, (value) => {
        const scripts = { create: `printf %s ${quote(value)}`, delete: "echo gone" };
        expect(run("create", scripts).stdout).toBe(value);
        expect(run("delete", scripts).stdout).toBe("gone\n");
      }),
      { numRuns: 25 },
    );
  });

  test("name the command that failed, without its values", () => {
    const done = run("create", { create: 'secret=hunter2\ncat /does/not/exist "$secret" 2>/dev/null\necho on' });
    expect(done.status).toBe(1);
    expect(done.stdout).toBe("");
    expect(done.stderr).toMatch(/^exit code 1 on \S+: cat \/does\/not\/exist "\$secret" 2> ?\/dev\/null\n$/);
  });

  test("take a lock whose name is safe", () => {
    expect(remoteCommand("create", { lock: "network", timeout: 60 })).toBe(
      `sudo=; [ "$(id -u)" = 0 ] || sudo='sudo -n'; exec $sudo timeout -k 10 60 flock -o -w 60 /run/podnet-network.lock bash --norc --noprofile -euo pipefail -c 'eval "$(cat)"; create'`,
    );
    expect(() => remoteCommand("create", { lock: "a b", timeout: 1 })).toThrow('"a b" is not a lock name');
  });
});
