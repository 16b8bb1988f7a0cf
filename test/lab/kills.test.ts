import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../../components/args/wait";
import {
  check,
  configure,
  createStack,
  hostState,
  kubectl,
  mustPulumi,
  onNode,
  output,
  PROJECT,
  run,
  sound,
  STACK,
  state,
  unset,
} from "./lab";

// Pulumi is killed again and again, each time at another resource that it has just begun with, and goes on from there.
const at = ["--yes", "--skip-preview"];
/** Seconds that a process of podnet's may outlive the CLI that started it. */
const OUTLIVE_SECONDS = 10;
let before: Record<string, string[]>;

beforeAll(() => {
  run("pulumi", ["destroy", ...at, "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  before = hostState();
  createStack();
  configure({ nodes: '{"cp":{"slot":0,"role":"control-plane"},"w1":{"slot":1}}' });
});

afterAll(() => {
  run("pulumi", ["cancel", "--yes", "--stack", STACK]);
  mustPulumi("destroy", ...at);
  mustPulumi("stack", "rm", "--yes");
});

/** Names of the stack's resources that something is made for. */
const made = (): string[] =>
  (state().resources ?? [])
    .filter(({ type }) => !/^(podnet:|pulumi:)/.test(type))
    .map(({ urn }) => urn.split("::").at(-1) ?? "")
    .sort();

/** How a command of Pulumi's ended: killed when it began with a resource, or by itself. */
interface End {
  readonly killedAt?: string;
  readonly code?: number | null;
  readonly said: string;
}

/** Starts Pulumi on the stack, in a group of its own, which is killed as one. */
function start(...words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn("pulumi", [...words, ...at, "--stack", STACK, "--non-interactive", "--color", "never"], {
    cwd: PROJECT,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs Pulumi, and kills it and all that it has started when it begins with a resource that is not among those given. */
function untilItBegins(words: readonly string[], known: ReadonlySet<string>): Promise<End> {
  const child = start(...words);
  let said = "";
  let killedAt: string | undefined;
  const read = (chunk: Buffer): void => {
    said += chunk.toString();
    for (const [, type = "", name = ""] of said.matchAll(
      /^ *[-+~]+ +(\S+) (\S+) (?:creating|updating|deleting|replacing)\b/gm,
    )) {
      if (killedAt === undefined && !known.has(name) && !/^(podnet:|pulumi:)/.test(type)) {
        killedAt = name;
        process.kill(-(child.pid ?? 0), "SIGKILL");
      }
    }
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return new Promise((done, failed) => {
    child.on("error", failed);
    child.on("close", (code) => done(killedAt === undefined ? { code, said } : { killedAt, said }));
  });
}

/** Processes of Pulumi's and podnet's that were started for this clone. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ").trim();
        const own = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`PULUMI_HOME=${PROJECT}/`);
        return own && /pulumi-(language|resource|analyzer)|@pulumi\/pulumi\/cmd|podnet\/cli/.test(words) ? [words] : [];
      } catch {
        return [];
      }
    });
}

/** Kills the command at one resource after the other, until it comes to its end. Returns those at which it was killed. */
async function killedAtEach(...words: string[]): Promise<string[]> {
  const known = new Set<string>();
  for (;;) {
    const { killedAt, code, said } = await untilItBegins(words, known);
    if (killedAt === undefined) {
      expect(code === 0 ? "" : said.slice(-4000)).toBe("");
      return [...known].sort();
    }
    known.add(killedAt);
    const gone = await waitFor(() => Promise.resolve(processes().length === 0), OUTLIVE_SECONDS);
    expect(gone ? [] : [killedAt, ...processes()]).toEqual([]);
    run("pulumi", ["cancel", "--yes", "--stack", STACK]);
  }
}

test("an update that was killed at each of its resources comes to its end, declared is what is, and nothing is pending", async () => {
  const killed = await killedAtEach("up");
  expect(killed).toEqual(made());
  // Pulumi keeps a create that was killed until somebody says that it was looked at; `make up` says so itself.
  mustPulumi("refresh", "--clear-pending-creates", ...at);
  sound();
}, 1_800_000);

/**
 * Updates, and kills the update when a resource's command has done what was to be done on the node, and Pulumi does not know of it
 * yet. `done` says whether it has.
 */
async function killedBeforeItIsNoted(name: string, node: string, done: () => boolean): Promise<void> {
  // The command waits for the node's lock until Pulumi itself stands still.
  const lock = onNode(node, "setsid flock /run/podnet/lock sleep 300 </dev/null >/dev/null 2>&1 & echo $!").trim();
  const child = start("up");
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    const begun = await waitFor(() => Promise.resolve(new RegExp(` ${name} updating`).test(said)), 120);
    expect(begun ? "" : said).toBe("");
    const waits = (): boolean => onNode(node, "pgrep -fx 'flock -w [0-9]+ 9' || true") !== "";
    expect(await waitFor(() => Promise.resolve(waits()), 60)).toBe(true);
    process.kill(child.pid ?? 0, "SIGSTOP");
    onNode(node, `kill -- -${lock}`);
    expect(await waitFor(() => Promise.resolve(done()), 60)).toBe(true);
    // What is read may be so before the command has come to its end.
    onNode(node, "flock -w 60 /run/podnet/lock true");
  } finally {
    process.kill(-(child.pid ?? 0), "SIGKILL");
  }
  run("pulumi", ["cancel", "--yes", "--stack", STACK]);
}

test.each<readonly [string, Record<string, string>, string, string, () => string, string, string]>([
  ["mtu", { mtu: "1400" }, "network-on-w1", "w1", () => onNode("w1", "cat /sys/class/net/cni0/mtu"), "1500", "1400"],
  [
    "kubeProxyMode",
    { kubeProxyMode: "iptables" },
    "cluster-configure",
    "cp",
    () =>
      kubectl("-n", "kube-system", "get", "cm", "kube-proxy", "-o", "jsonpath={.data}").replace(
        /.*mode: (\w+).*/s,
        "$1",
      ),
    "nftables",
    "iptables",
  ],
])("%s: a change that was killed when it was done on a node, and is put back, is undone there", async (...row) => {
  const [key, settings, name, node, read, before, after] = row;
  expect(read().trim()).toBe(before);
  // By the next update, and by the replacement that the check names.
  for (const way of [[], ["--replace", `**::${name}`]]) {
    configure(settings);
    await killedBeforeItIsNoted(name, node, () => read().trim() === after);
    unset(key);
    const { problems } = check(String(output("verify")));
    const [told] = problems.filter(
      ({ claim, source, target }) => `${claim} ${source} ${target}` === `as-made ${node} phases`,
    );
    expect(told?.seen).toContain(`run pulumi up --replace '**::${name}'`);
    mustPulumi("up", ...way, ...at);
    expect(read().trim()).toBe(before);
    sound();
  }
});

test("a change of network that was killed at each of its resources comes to its end, and so does the way back", async () => {
  for (const network of ["kube-router", "bridge"]) {
    configure({ network });
    const killed = await killedAtEach("up");
    expect(killed).toEqual(
      expect.arrayContaining(["network-choice", "network-change", "network-on-cp", "network-on-w1"]),
    );
    mustPulumi("refresh", "--clear-pending-creates", ...at);
    expect(onNode("w1", "cat /var/lib/podnet/network-on-node").split(" ")[0]).toBe(network);
    sound();
  }
  unset("network");
}, 1_800_000);

test("a replacement that was killed at each of its resources comes to its end", async () => {
  const urns = (state().resources ?? [])
    .map(({ urn }) => urn)
    .filter((urn) => /network-on-w1$|cluster-w1-join$/.test(urn));
  expect(urns.length).toBe(2);
  const killed = await killedAtEach("up", ...urns.flatMap((urn) => ["--replace", urn]));
  expect(killed).toEqual(expect.arrayContaining(["network-on-w1", "cluster-w1-join"]));
  mustPulumi("refresh", "--clear-pending-creates", ...at);
  sound();
}, 1_800_000);

test("a destroy that was killed at each of its resources comes to its end and leaves nothing", async () => {
  const there = made();
  const killed = await killedAtEach("destroy");
  // What is deleted with its machine or in no time is never seen to begin.
  expect(killed.filter((name) => !there.includes(name))).toEqual([]);
  expect(killed.length).toBeGreaterThan(10);
  expect(hostState()).toEqual(before);
}, 1_800_000);
