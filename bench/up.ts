import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bare, NODES } from "./bare";
import { barChart } from "./chart";
import { lab, machineText, median, PROJECT, removeLab, RESULTS, seconds, type Settings, sh } from "./common";

const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "2");

/** One step of an update and its seconds. */
interface Step {
  readonly name: string;
  readonly seconds: number;
}

interface Podnet {
  readonly up: number;
  readonly again: number;
  readonly logins: number;
  readonly steps: readonly Step[];
}

/** podnet's own `pulumi up` on a stack of the bench's, then a second one with nothing to do. */
function podnet(settings: Settings): Podnet {
  const { name, subnet, bridge } = lab("podnet");
  const stack = ["--stack", "bench"];
  spawnSync("pulumi", ["destroy", "--yes", "--skip-preview", ...stack], { cwd: PROJECT });
  spawnSync("pulumi", ["stack", "rm", "--yes", "--force", ...stack], { cwd: PROJECT });
  sh("pulumi", ["stack", "init", "bench"]);
  try {
    const config = { ...settings, labName: name, labSubnet: subnet };
    const pairs = Object.entries(config).flatMap(([key, value]) => ["--plaintext", `podnet:${key}=${value}`]);
    sh("pulumi", ["config", "set-all", ...stack, ...pairs]);
    const up = ["up", "--yes", "--skip-preview", "--non-interactive", ...stack];
    let started = Date.now();
    const output = sh("pulumi", up);
    const first = seconds(started);
    const logins = (): number =>
      NODES.reduce((sum, node) => {
        const log = sh("docker", [
          "exec",
          `${name}-${node.name}`,
          "journalctl",
          "--no-pager",
          "-o",
          "cat",
          "-u",
          "ssh",
        ]);
        return sum + log.split("\n").filter((line) => line.startsWith("Accepted publickey")).length;
      }, 0);
    const before = logins();
    started = Date.now();
    sh("pulumi", [...up, "--expect-no-changes"]);
    const again = seconds(started);
    const steps = [...output.matchAll(/^ \+ {2}(?:command|kubernetes):\S+ (\S+) created \((\d+(?:\.\d+)?)s\)/gm)].map(
      ([, step = "", time = "0"]) => ({ name: step, seconds: Number(time) }),
    );
    return { up: first, again, logins: logins() - before, steps };
  } finally {
    sh("pulumi", ["destroy", "--yes", "--skip-preview", ...stack]);
    sh("pulumi", ["stack", "rm", "--yes", "--force", ...stack]);
    removeLab(name, bridge);
  }
}

/** Times `pulumi up` from nothing against a bare parallel shell, and a second one that has nothing to do. */
export async function benchUp(own: Settings): Promise<void> {
  const peers: number[] = [];
  const runs: Podnet[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    peers.push(await bare(own));
    console.log(`round ${String(round + 1)}: bare shell ${String(peers.at(-1))} s`);
    runs.push(podnet(own));
    console.log(`round ${String(round + 1)}: pulumi up ${String(runs.at(-1)?.up)} s`);
  }
  const up = median(runs.map((run) => run.up));
  const peer = median(peers);
  const again = median(runs.map((run) => run.again));
  const slow = [...(runs.at(-1)?.steps ?? [])].sort((a, b) => b.seconds - a.seconds).slice(0, 16);
  const machine = machineText();
  const lines = [
    `zero to checked cluster (${machine}, caches warm, median of ${String(ROUNDS)}):`,
    `  pulumi up   ${up.toFixed(1)} s  (${runs.map((run) => run.up).join(", ")})`,
    `  bare shell  ${peer.toFixed(1)} s  (${peers.join(", ")})`,
    `  ratio       ${(up / peer).toFixed(2)}x  (goal: at most 1.25x)`,
    `second pulumi up: ${again.toFixed(1)} s, ${String(Math.max(...runs.map((run) => run.logins)))} remote commands (goal: at most 4 s, 0)`,
    "where the time goes (seconds of each resource in the last run; they overlap):",
    ...slow.map((step) => `  ${step.seconds.toFixed(1).padStart(6)}  ${step.name}`),
  ];
  console.log(lines.join("\n"));
  writeFileSync(join(RESULTS, "up.json"), `${JSON.stringify({ machine, up, peer, again, peers, runs }, null, 2)}\n`);
  writeFileSync(join(RESULTS, "up.txt"), `${lines.join("\n")}\n`);
  writeFileSync(join(RESULTS, "steps.svg"), barChart("pulumi up, step by step (seconds)", slow));
}
