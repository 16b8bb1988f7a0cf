import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const project = join(__dirname, "..", "..");

/** The two helpers that wait, one in TypeScript and one in the node program: by the clock, with the reason, ending early. */
const HELPERS = ["components/args/wait.ts", "components/node/program/lib/wait.sh"];

/** Other files that pause, each with the part of it that bounds the pause, and why it is no wait of the helper's. */
const ALLOWED: Readonly<Record<string, string>> = {
  // Asks lost packets again, each a second apart at most: rounds of questions, after which the answers are judged as they are.
  "components/connectivity/asking.ts": "const ROUNDS = [0, 300, 1000];",
  // Asks again and again while nodes watch, which they do for seconds that are stated.
  "components/connectivity/cause/follow.ts": "while (watching.now && followed.length > 0)",
  // Watches for the seconds that it is told, and answers then: that is its work.
  "components/node/program/phases/way.sh": 'sleep "$(value seconds)"',
  // By the clock, in a loop of its own.
  "components/connectivity/ready.ts": "Date.now() > deadline",
  "components/service/endpoints.ts": "Date.now() > deadline",
  // Pauses between two runs for the seconds that it is told, until it is told to end.
  "cli/verify.ts": "!ending.signal.aborted",
  // Waits for another podnet as long as that works: the kernel frees a lock when its process ends.
  "toolchain/host/lock.ts": 'error.code === "EADDRINUSE"',
  // Look each second at a process and its parent for as long as both run.
  "toolchain/supply/language-host": 'while look "$2"',
  "toolchain/supply/plugin-guard": 'while kill -0 "$plugin"',
  // Runs before there is a node or its program: by the clock too.
  "toolchain/supply/unpack-images": 'if [ "$(date +%s)" -ge "$deadline" ]',
};

function tracked(...patterns: string[]): string[] {
  return execFileSync("git", ["ls-files", "--", ...patterns], { cwd: project, encoding: "utf8" })
    .split("\n")
    .slice(0, -1);
}

/** Whether a program pauses: TypeScript by a timer that is awaited, Bash by `sleep`. */
function pauses(file: string, text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "");
  const lines = code.split("\n").filter((line) => !/^\s*(\/\/|#)/.test(line));
  const sign = file.endsWith(".ts") ? /timers\/promises|setTimeout\((resolve|done)/ : /(^|[;&|(\s])sleep\s/;
  return lines.some((line) => sign.test(line));
}

/** Loops that count how often they looked, and pause in between: `for (let tries = 0; ...)`, `for i in 1 2 3`, `tries=$((...))`. */
function counted(text: string): string[] {
  const loop =
    /for \(let \w+ = \d+;[^\n]*|for \w+ in (\d+ \d+|\{\d+\.\.|\$\(seq)[^\n]*|\b(tries|attempts?|count|i|n)(=\$\(\(|\+\+)[^\n]*/g;
  return [...text.matchAll(loop)]
    .filter(({ index }) => /\bsleep\b/.test(text.slice(index, index + 600)))
    .map(([line]) => line);
}

const files = tracked("components", "src", "cli", "toolchain", ":!*.md", ":!*.json", ":!toolchain/supply/go/");

test("nothing waits but by the helpers", () => {
  expect(files.length).toBeGreaterThan(150);
  const found = files.filter((file) => pauses(file, readFileSync(join(project, file), "utf8")));
  expect(found.sort()).toEqual([...HELPERS, ...Object.keys(ALLOWED)].sort());
});

test("what else may pause is still bounded as it is said to be", () => {
  for (const [file, bound] of Object.entries(ALLOWED)) {
    expect(readFileSync(join(project, file), "utf8")).toContain(bound);
  }
});

test("no wait is counted in tries", () => {
  const found = files.flatMap((file) =>
    counted(readFileSync(join(project, file), "utf8")).map((line) => `${file}: ${line}`),
  );
  expect(found).toEqual([]);
});

test.each([
  "for (let tries = 0; tries < 30; tries++) {\n  await sleep(1000);\n}",
  "for i in {1..30}; do ask && break; sleep 1; done",
  "for i in $(seq 30); do ask && break; sleep 1; done",
  "until ask; do tries=$((tries + 1)); [ $tries -lt 30 ] || exit 1; sleep 1; done",
])("sees tries in: %s", (text) => {
  expect(counted(text)).toHaveLength(1);
});
