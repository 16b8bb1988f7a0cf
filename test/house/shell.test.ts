import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const project = join(__dirname, "..", "..");

/** What shell text in a string looks like. */
const SIGNS: readonly RegExp[] = [
  /#!\s*\//,
  /\bset -[a-z]*[eu]/,
  /<<-?\s*["'\\]?[A-Za-z_]+/,
  /["'`/\s](ba|da|z|k)?sh["'`]/,
  /["'`/\s](ba|da|z|k)?sh -/,
  /\$\((?![A-Z_]+\))/,
  /["'`](\s*)(if \[|for [a-z]+ in |while (read|:)|case .* in\b|trap |eval |export [A-Z]+=)/,
  /(\|\||&&) (true|:|exit)\b/,
  /(2>|>)\s*(\/dev\/null|&[12])/,
];

/** Lines that may hold it, each by a part of it that says which one is meant, and why. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  // The line that starts the program, and the one that asks a machine that has no program yet.
  "components/node/ask.ts": ["return `bash --norc -p ${UPLOAD}/start ${phase}"],
  "components/network/preflight.ts": ['shell.run("bash --norc -p -s", '],
  // Commands of containers, as these projects' own manifests have them: they run in the agents' images, not on nodes.
  "components/network/cilium/agent.ts": ['"sh",'],
  "components/network/kube-router/manifest.ts": ['"/bin/sh",'],
  // Text for a reader to type.
  "toolchain/make/up.ts": ['look around  eval "$(make -s env)"; kubectl get nodes,pods -A -o wide'],
  // Whether a program is on the PATH, which no other program tells.
  "toolchain/host/system.ts": ['run("sh", ["-c", `command -v ${probe}`])'],
  // The interpreter that the official plugin takes where a stack names none.
  "packages/pulumi-command/src/local.ts": ['inputs.interpreter : ["/bin/sh", "-c"]'],
  // What a plugin's folder holds for Pulumi to start: it hands over to the program of this clone.
  "toolchain/supply/plugins.ts": ["#!/bin/sh\\nexec ${quote(program)}"],
  // What measurements run is in shell files of their own.
  "bench/datapath.ts": ['"bash", "--norc", "-s", "--", ...words], PROGRAM)'],
  "bench/bare.ts": ['sh("bash", ["--norc", join(PROJECT, "bench", "bare.sh")]'],
  // How npm starts the command: not shell.
  "cli/main.ts": ["#!/usr/bin/env node"],
};

/** Lines of TypeScript that hold shell text. */
function shellIn(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, "").split("\n");
  return code
    .filter((line) => !/^\s*\/\//.test(line) && SIGNS.some((sign) => sign.test(line)))
    .map((line) => line.trim());
}

function tracked(...patterns: string[]): string[] {
  return execFileSync("git", ["ls-files", "--", ...patterns], { cwd: project, encoding: "utf8" })
    .split("\n")
    .slice(0, -1);
}

test("no TypeScript outside the tests holds shell text but the line that starts the program", () => {
  const files = tracked("*.ts", "*.mts", "*.mjs", ":!test/");
  expect(files.length).toBeGreaterThan(100);
  const found = files.flatMap((file) =>
    shellIn(readFileSync(join(project, file), "utf8"))
      .filter((line) => !(ALLOWED[file] ?? []).some((part) => line.includes(part)))
      .map((line) => `${file}: ${line}`),
  );
  expect(found).toEqual([]);
});

test("what is allowed is still there", () => {
  for (const [file, parts] of Object.entries(ALLOWED)) {
    const lines = shellIn(readFileSync(join(project, file), "utf8"));
    expect(parts.filter((part) => !lines.some((line) => line.includes(part)))).toEqual([]);
  }
});

test.each([
  "const script = `#!/bin/bash\\n`;",
  "  set -euo pipefail",
  "cat <<END >/etc/hosts",
  "cat <<-'EOF'",
  'spawn("bash", ["-c", text])',
  "`sh -c ${words}`",
  'run("/bin/sh", [])',
  "`ip=$(hostname -I)`",
  "`rm -f x || true`",
  "`systemctl stop kubelet 2>/dev/null`",
  '"for i in 1 2 3; do echo; done"',
])("sees shell in: %s", (line) => {
  expect(shellIn(line)).toHaveLength(1);
});

test.each([
  'args: ["--iface=$(NODE_IP)"],',
  "  // a comment may say set -e and #!/bin/sh",
  "const publish = map.get(key);",
  "if (a && exited || truth) {",
  "type A = Map<string, Set<Bash>>;",
])("sees none in: %s", (line) => {
  expect(shellIn(line)).toEqual([]);
});

test("every shell file of the repository is clean by shellcheck, at its default severity", () => {
  const { scripts } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  expect(scripts["check"]).toContain(" check:*");
  const seen = execFileSync(
    "sh",
    ["-c", (scripts["check:shell"] ?? "").replace("xargs shellcheck -x -P SCRIPTDIR", "cat")],
    {
      cwd: project,
      encoding: "utf8",
    },
  );
  const files = seen.trim().split("\n");
  const expected = [
    ".ci/run",
    "components/node/program/podnet",
    "components/node/program/preflight",
    "components/node/program/routes",
    "components/node/program/start",
    ...tracked("*.sh"),
  ];
  expect(expected.filter((file) => !files.includes(file))).toEqual([]);
  execFileSync("sh", ["-c", scripts["check:shell"] ?? "false"], { cwd: project, encoding: "utf8" });
}, 60_000);

test("nothing on a node asks grep -q behind a pipe: it ends early, and what still writes into the pipe then fails", () => {
  const files = tracked(
    "components/**/*.sh",
    ...["podnet", "preflight", "routes", "start", "swap-off"].map((name) => `components/node/program/${name}`),
  );
  expect(files.length).toBeGreaterThan(30);
  const found = files.flatMap((file) =>
    readFileSync(join(project, file), "utf8")
      .split("\n")
      .filter((line) => /[^|]\| *(e|f)?grep -[a-zA-Z]*[qm]/.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(found).toEqual([]);
});
