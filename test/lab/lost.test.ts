import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { waitFor } from "../../components/args/wait";
import { faultLines, lookAtLab, mendLab } from "../../components/lab/look";
import { removeGoneNodes } from "../../toolchain/make/goneNodes";
import { containersIn, type Deployment, labIn, without } from "../../toolchain/make/state";
import {
  BRIDGE,
  check,
  createStack,
  failures,
  hostState,
  kubectl,
  LAB,
  must,
  mustPulumi,
  onNode,
  output,
  PROJECT,
  run,
  STACK,
} from "./lab";

// A lab of which parts go: what a look at it says, and that it can be mended.
const at = ["--yes", "--skip-preview"];
let before: Record<string, string[]>;
let verify = "";

const exported = (): { version: number; deployment: Deployment } =>
  JSON.parse(mustPulumi("stack", "export")) as { version: number; deployment: Deployment };

async function look(): Promise<string[]> {
  const lab = labIn(exported().deployment);
  return faultLines(lab, await lookAtLab(lab));
}

async function mended(): Promise<string[]> {
  const lab = labIn(exported().deployment);
  await mendLab(lab, await lookAtLab(lab));
  // Nodes that have only just started are proven as soon as they are well.
  let failed: string[] = [];
  await waitFor(() => {
    failed = failures(check(verify));
    return Promise.resolve(failed.length === 0);
  }, 120);
  return failed;
}

beforeAll(() => {
  run("pulumi", ["destroy", ...at, "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  before = hostState();
  createStack();
  mustPulumi("up", ...at);
  verify = String(output("verify"));
});

afterAll(() => {
  run("pulumi", ["destroy", ...at, "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
});

describe("a lab", () => {
  test("that is whole has no faults", async () => {
    expect(await look()).toEqual([]);
  });

  test("of which nodes are frozen, stopped and cut off is mended", async () => {
    must("docker", ["pause", `${LAB}-w1`]);
    must("docker", ["stop", "--time", "1", `${LAB}-w2`]);
    must("docker", ["network", "disconnect", "--force", BRIDGE, `${LAB}-cp`]);
    expect(await look()).toEqual([
      `lab node cp: its container ${LAB}-cp is not in the network ${BRIDGE}`,
      `lab node w1: its container ${LAB}-w1 is paused`,
      `lab node w2: its container ${LAB}-w2 is stopped`,
    ]);
    expect(await mended()).toEqual([]);
    expect(await look()).toEqual([]);
  });

  test("whose network went is mended", async () => {
    must("docker", ["stop", "--time", "1", `${LAB}-cp`, `${LAB}-w1`, `${LAB}-w2`]);
    must("docker", ["network", "rm", BRIDGE]);
    expect(await look()).toEqual([
      `the lab's network ${BRIDGE} is gone`,
      ...["cp", "w1", "w2"].map((node) => `lab node ${node}: its container ${LAB}-${node} is stopped`),
    ]);
    expect(await mended()).toEqual([]);
    expect(await look()).toEqual([]);
  });

  test("of which a worker's container is gone gets a new one, which joins", async () => {
    const age = kubectl("get", "node", "w1", "-o", "jsonpath={.metadata.uid}");
    must("docker", ["rm", "--force", "--volumes", `${LAB}-w1`]);
    expect(await look()).toEqual([`lab node w1: its container ${LAB}-w1 is gone`]);
    const { version, deployment } = exported();
    await removeGoneNodes(String(output("kubeconfig")), ["w1"], console.error);
    const gone = labIn(deployment).nodes.filter(({ nodeName }) => nodeName === "w1");
    const file = join(PROJECT, ".podnet", "edited-test-state.json");
    try {
      writeFileSync(
        file,
        JSON.stringify({ version, deployment: without(deployment, containersIn(deployment, gone)) }),
        {
          mode: 0o600,
        },
      );
      mustPulumi("stack", "import", "--file", file);
    } finally {
      rmSync(file, { force: true });
    }
    mustPulumi("up", ...at);
    expect(output("passed")).toBe(true);
    expect(await look()).toEqual([]);
    expect(kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}")).toBe("cp w1 w2");
    expect(kubectl("get", "node", "w1", "-o", "jsonpath={.metadata.uid}")).not.toBe(age);
    expect(onNode("w1", "systemctl is-active kubelet").trim()).toBe("active");
    verify = String(output("verify"));
  });

  test("whose resources are made anew in place of living ones keeps its nodes", async () => {
    const uptime = (): string => onNode("w2", "stat -c %Y /proc/1");
    const booted = uptime();
    const urns = (exported().deployment.resources ?? []).map(({ urn }) => urn);
    const host = urns.find((urn) => urn.endsWith("::lab-host")) ?? "";
    mustPulumi("up", "--replace", host, ...at);
    expect(await look()).toEqual([]);
    expect(uptime()).toBe(booted);
  });

  test("of another stack with this one's name is refused, and stays", () => {
    const other = `${STACK}-other`;
    const settings = must("pulumi", ["config", "--json", "--stack", STACK]);
    run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", other]);
    must("pulumi", ["stack", "init", other]);
    try {
      const pairs = Object.entries(JSON.parse(settings) as Record<string, { value: string }>);
      must("pulumi", [
        "config",
        "set-all",
        "--stack",
        other,
        ...pairs.flatMap(([key, { value }]) => ["--plaintext", `${key}=${value}`]),
      ]);
      const done = run("pulumi", ["up", ...at, "--non-interactive", "--stack", other]);
      expect(done.code).not.toBe(0);
      expect(done.out + done.err).toContain(`docker network ${BRIDGE} belongs to lab ${LAB} of another stack`);
      expect(done.out + done.err).toContain(`container ${LAB}-w1 belongs to lab ${LAB} of another stack`);
    } finally {
      must("pulumi", ["destroy", ...at, "--non-interactive", "--stack", other]);
      run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", other]);
      rmSync(join(PROJECT, `Pulumi.${other}.yaml`), { force: true });
    }
    expect(failures(check(verify))).toEqual([]);
  });
});

test("a destroy without an engine fails and says why, and one with it leaves nothing", () => {
  const host = process.env["DOCKER_HOST"] ?? "";
  const socket = host.replace("unix://", "");
  renameSync(socket, `${socket}.away`);
  try {
    const done = run("pulumi", ["destroy", ...at, "--non-interactive", "--stack", STACK]);
    expect(done.code).not.toBe(0);
    expect(done.out + done.err).toContain(`the container engine ${host} does not answer: start it`);
  } finally {
    renameSync(`${socket}.away`, socket);
  }
  const names = must("docker", ["ps", "--filter", `label=podnet.lab=${LAB}`, "--format", "{{.Names}}"]);
  expect(names.trim().split("\n").sort()).toEqual(["cp", "w1", "w2"].map((node) => `${LAB}-${node}`));
  mustPulumi("destroy", ...at);
  expect(hostState()).toEqual(before);
});
