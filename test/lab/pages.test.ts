import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { cacheDir } from "../../toolchain/host/paths";
import { givenNames, hostView, type Marks, tracesOf } from "./host";
import { type Ended, must, PROJECT } from "./lab";

// A user reads the pages and types what they say, in a clone of their own.
const folder = mkdtempSync(join(tmpdir(), "podnet-pages-"));
const clone = join(folder, "clone");
const cache = join(folder, "cache");
const { name: labName, bridge } = labIdentity(clone);
const given = new Set<string>();
let subnet: string | undefined;
const marks = (): Marks => ({ name: labName, bridge, subnet, given });
let before: Record<string, string[]>;

/** The shell blocks of a page, in their order. */
const blocks = (page: string): string[] =>
  [...readFileSync(join(PROJECT, page), "utf8").matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block = ""]) => block);
const [twoCommands = "", plainPulumi = ""] = blocks("README.md");
const [changeOfNetwork = ""] = blocks("docs/networks.md");
// The second one is run, as the page has it, by the test of machines that a stack has lost.
const [statusOfNode = "", takenOffByHand = "", afterAKill = ""] = blocks("docs/operate.md");

/** Environment of a user's new shell: nothing of the tests' own stack is in it. A confirmation is given ahead. */
const environment = {
  HOME: process.env["HOME"],
  PATH: (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter((dir) => !dir.includes("node_modules") && !dir.startsWith(cacheDir()) && !dir.startsWith(PROJECT))
    .join(delimiter),
  PULUMI_SKIP_CONFIRMATIONS: "true",
};

/** Types lines into a Bash that stops at the first one that fails. */
function type(lines: string): Ended {
  const done = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", lines], {
    cwd: clone,
    env: environment,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    timeout: 580_000,
  });
  if (done.error) {
    throw done.error;
  }
  givenNames(marks()).forEach((name) => given.add(name));
  return { code: done.status ?? -1, out: done.stdout, err: done.stderr };
}

/** Types lines that have to succeed and returns all that they said. */
function typed(lines: string): string {
  const { code, out, err } = type(lines);
  expect(code, `${lines}\n${out.slice(-3000)}\n${err.slice(-3000)}`).toBe(0);
  return `${out}\n${err}`;
}

/** One line of a block that holds these words, without its comment. */
const line = (block: string, words: string): string => {
  const found = block.split("\n").find((candidate) => candidate.includes(words)) ?? "";
  return found.replace(/ +#.*/, "");
};

beforeAll(() => {
  const files = must("git", ["ls-files", "-co", "--exclude-standard", "-z"]).split("\0");
  for (const file of files.filter((name) => name !== "" && existsSync(join(PROJECT, name)))) {
    cpSync(join(PROJECT, file), join(clone, file), { recursive: true });
  }
  // The files are the same ones under a second name.
  must("cp", ["-al", join(PROJECT, "node_modules"), join(clone, "node_modules")]);
  before = tracesOf(marks(), hostView());
});

afterAll(() => {
  if (existsSync(join(clone, "Makefile"))) {
    type("make down");
  }
  rmSync(folder, { recursive: true, force: true });
});

describe("what the pages say to type", () => {
  test("is all in this test", () => {
    const pages = ["README.md", "CONTRIBUTING.md", ...readdirSync(join(PROJECT, "docs")).map((name) => `docs/${name}`)];
    const shown = pages.filter((page) => page.endsWith(".md")).flatMap((page) => blocks(page));
    expect(shown.sort()).toEqual(
      [twoCommands, plainPulumi, changeOfNetwork, statusOfNode, takenOffByHand, afterAKill].sort(),
    );
  });

  test("make up: a checked cluster", () => {
    const said = typed(line(twoCommands, "make up"));
    subnet = (
      JSON.parse(readFileSync(join(clone, ".podnet", "written-config.json"), "utf8")) as {
        settings: Record<string, string>;
      }
    ).settings["labSubnet"];
    expect(said).toMatch(/✓ pod-to-pod +60\/60/);
    expect(said).toMatch(/\nThe cluster is up and its network is proven \(.*\)\.\n/);
  });

  test("make up again: nothing to do; make verify: proven, and nothing changed", () => {
    expect(typed(line(twoCommands, "make up"))).toMatch(
      /\nNothing to do: the cluster was made as declared, and the lab's 3 nodes run \(.*\)\.\n/,
    );
    expect(typed("make verify")).toMatch(/✓ pod-to-pod +60\/60/);
  });

  test("plain pulumi and kubectl, in the environment of make env", () => {
    const said = typed(`${plainPulumi.trimEnd()} --yes`);
    expect(said).toMatch(/node\/w2 +Ready /);
    expect(said).toMatch(/~ +spec: \{\n[\s\S]*replicas: 3 => 5|Deployment.*update.*\[diff: ~spec\]/);
    expect(typed('eval "$(make -s env)"; kubectl get deployment web -o jsonpath="{.status.readyReplicas}"')).toBe(
      "5\n",
    );
  });

  test("podnet status on a node", () => {
    const said = typed(
      `eval "$(make -s env)"\ndocker exec -i -w /root ${labName}-w1 bash --norc -s <<'END'\n${statusOfNode}END`,
    );
    const json = /^podnet 00000000 \| (\{.*)$/m.exec(said)?.[1] ?? "";
    expect(JSON.parse(json)).toMatchObject({ owner: { node: "w1" }, network: { id: "bridge" } });
  });

  test("what is pending after a kill", () => {
    expect(typed(`eval "$(make -s env)"\n${afterAKill.trimEnd()} --yes`)).toMatch(/unchanged/);
  });

  test("another network", () => {
    const said = typed(`eval "$(make -s env)"\n${changeOfNetwork}`);
    expect(said).toMatch(/✓ network-policy +180\/180/);
  });

  test("make down leaves the caches and what was set by hand, and make clean nothing that was made", () => {
    typed("make down");
    expect(tracesOf(marks(), hostView())).toEqual(before);
    expect(existsSync(join(clone, ".podnet"))).toBe(false);
    expect(readdirSync(join(cacheDir(), "mirror"))).not.toEqual([]);
    // A cache of its own: the other tests still need theirs.
    mkdirSync(join(cache, "tools", "a-tool-0123456789abcdef"), { recursive: true });
    typed(`PODNET_CACHE=${cache} make clean`);
    expect(existsSync(cache)).toBe(false);
    const left = readdirSync(clone).sort();
    const sources = must("git", ["ls-files", "-co", "--exclude-standard"]).split("\n");
    // What was typed by hand is the user's.
    const config = "Pulumi.lab.yaml";
    const names = [config, ...sources.map((file) => file.split("/")[0] ?? "")];
    expect(left).toEqual([...new Set(names)].filter((name) => name !== "").sort());
    expect(readFileSync(join(clone, config), "utf8")).toMatch(
      /^config:\n(?: {2}podnet:(?:network|serviceReplicas): .*\n)+$/,
    );
  });
});
