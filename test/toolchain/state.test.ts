import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { clonePaths } from "../../toolchain/host/paths";
import { writeKubeconfig } from "../../toolchain/make/kubeconfig";
import { labNodesIn } from "../../toolchain/make/prepare";
import {
  carryControlPlane,
  containersIn,
  type Deployment,
  kubeconfigIn,
  labIn,
  labsIn,
  onMachines,
  settled,
  stackOutput,
  type StateResource,
  without,
} from "../../toolchain/make/state";
import { summary } from "../../toolchain/make/up";
import { driftLines, lastText } from "../../toolchain/make/verify";

const urn = (name: string): string => `urn:pulumi:lab::podnet::command:local:Command::${name}`;
const secret = (value: unknown): object => ({
  "4dabf18193072939515e22adb298388d": "1b47",
  plaintext: JSON.stringify(value),
});
const lab = { labName: "podnet-x", owner: "me", network: "pn-x", dockerHost: "unix:///x" };
const nodeInput = (nodeName: string): object => ({ ...lab, nodeName, address: "10.0.0.1", image: "i", publicKey: "k" });

function local(name: string, word: string, stdin: object): StateResource {
  const inputs = { create: `exec node -e "x" ${word}`, stdin: JSON.stringify(stdin) };
  return { urn: urn(name), type: "command:local:Command", inputs };
}

function remote(name: string, phase: string, on: string | undefined, needs: readonly string[]): StateResource {
  return {
    urn: urn(name),
    type: "command:remote:Command",
    inputs: { create: `bash --norc -p .podnet/program/start ${phase}` },
    dependencies: needs.map(urn),
    propertyDependencies: { connection: needs.map(urn), stdin: null },
    ...(on !== undefined && { deletedWith: urn(on) }),
  };
}

const state: Deployment = {
  resources: [
    {
      urn: "urn:stack",
      type: "pulumi:pulumi:Stack",
      outputs: { verify: secret("{}"), kubeconfig: secret("old"), passed: true },
    },
    { urn: "urn:cluster", type: "podnet:index:Cluster", outputs: { kubeconfig: secret("new") } },
    local("lab-network", "lab-network", { ...lab, subnet: "10.0.0.0/24" }),
    local("lab-cp-container", "lab-node", nodeInput("cp")),
    local("lab-w1-container", "lab-node", nodeInput("w1")),
    { ...local("lab-w9-container", "lab-node", nodeInput("w9")), delete: true },
    remote("cp-init", "init", "lab-cp-container", ["lab-cp-container"]),
    remote("w1-join", "join", "lab-w1-container", ["lab-w1-container", "cp-init"]),
    { ...remote("namespace", "-", "lab-cp-container", ["cp-init"]), type: "kubernetes:core/v1:Namespace" },
    remote("register", "register", "lab-cp-container", ["cp-init", "w1-join"]),
  ],
  pending_operations: [{ type: "creating", resource: local("lab-w2-container", "lab-node", nodeInput("w2")) }],
};
const names = ({ resources = [] }: Deployment): string[] => resources.map((one) => one.urn.split("::").at(-1) ?? "");

describe("a stack's state", () => {
  test("gives the lab that was made, what is only to be deleted left out", () => {
    const { network, nodes } = labIn(state);
    expect(network?.subnet).toBe("10.0.0.0/24");
    expect(nodes.map(({ nodeName }) => nodeName)).toEqual(["cp", "w1"]);
    expect(labIn({})).toEqual({ network: undefined, nodes: [] });
  });

  test("gives each lab that it has a part of, what is being made or deleted included", () => {
    expect(labsIn(state)).toEqual([lab]);
    expect(labsIn({})).toEqual([]);
    const host = local("lab-host", "lab-host", { ...lab, owner: "mine", nodes: 3 });
    expect(labsIn({ resources: [{ ...host, delete: true }] })).toEqual([{ ...lab, owner: "mine" }]);
    expect(labsIn({ pending_operations: [{ type: "creating", resource: host }] })).toEqual([{ ...lab, owner: "mine" }]);
    expect(labsIn({ resources: [{ ...host, inputs: { create: "exec node lab-host" } }] })).toEqual([]);
  });

  test("gives a lab's nodes by their names, in whatever order they were made", () => {
    const made = ["w2", "cp", "w10", "w1"].map((name) => local(`lab-${name}-container`, "lab-node", nodeInput(name)));
    expect(labIn({ resources: made }).nodes.map(({ nodeName }) => nodeName)).toEqual(["cp", "w1", "w2", "w10"]);
  });

  test("gives the cluster's kubeconfig as it is now, not as the last good update left it", () => {
    expect(kubeconfigIn(state)).toBe("new");
    expect(kubeconfigIn({ resources: state.resources?.slice(0, 1) ?? [] })).toBe("old");
    expect(kubeconfigIn({})).toBeUndefined();
    expect([stackOutput(state, "verify"), stackOutput(state, "passed")]).toEqual(["{}", true]);
  });

  test("without a worker's container has nothing of what was on it, and nothing that refers to it", () => {
    const { nodes } = labIn(state);
    const urns = containersIn(state, nodes.slice(1));
    expect(urns).toEqual([urn("lab-w1-container")]);
    expect(carryControlPlane(state, urns)).toBe(false);
    const left = without(state, urns);
    expect(names(left)).toEqual([
      ...["urn:stack", "urn:cluster", "lab-network", "lab-cp-container", "lab-w9-container"],
      ...["cp-init", "namespace", "register"],
    ]);
    expect(JSON.stringify(left.resources)).not.toContain("w1-join");
    expect(left.resources?.at(-1)).toMatchObject({
      dependencies: [urn("cp-init")],
      propertyDependencies: { connection: [urn("cp-init")], stdin: [] },
    });
    expect(left.pending_operations).toEqual(state.pending_operations);
  });

  test("without the control plane's container has nothing of what was in the cluster", () => {
    const urns = containersIn(state, labIn(state).nodes.slice(0, 1));
    expect(carryControlPlane(state, urns)).toBe(true);
    expect(names(without(state, urns))).toEqual([
      ...["urn:stack", "urn:cluster", "lab-network", "lab-w1-container", "lab-w9-container", "w1-join"],
    ]);
  });

  test("that is settled has nothing pending and all its resources", () => {
    expect(settled(state)).toEqual({ ...state, pending_operations: [] });
  });

  test("names what is on machines that no container ends with", () => {
    expect(onMachines(state)).toEqual([]);
    expect(onMachines({ resources: [remote("h1-take", "take", undefined, [])] })).toEqual(["h1-take"]);
  });
});

describe("the kubeconfig file", () => {
  const folder = mkdtempSync(join(tmpdir(), "podnet-kubeconfig-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is what the state says, and goes with the cluster", () => {
    const paths = clonePaths(folder);
    mkdirSync(paths.dotPodnet);
    writeFileSync(paths.kubeconfig, "of an earlier cluster");
    writeKubeconfig(paths, state);
    expect(readFileSync(paths.kubeconfig, "utf8")).toBe("new");
    writeKubeconfig(paths, {});
    expect(existsSync(paths.kubeconfig)).toBe(false);
  });
});

describe("the last line", () => {
  const paths = clonePaths("/clone");

  test.each([
    ["updated", "The cluster is up and its network is proven (1.5 s)."],
    ["mended", "The lab is mended and its network is proven (1.5 s)."],
    ["nothing", "Nothing to do: the cluster was made as declared, and the lab's 3 nodes run (1.5 s)."],
  ] as const)("of make up, %s", (done, line) => {
    expect(summary(paths, done, 3, 1.5).split("\n")[1]).toBe(line);
  });

  test("of make up speaks of no lab where there is none", () => {
    expect(summary(paths, "nothing", 0, 1.5)).toContain("Nothing to do: the cluster was made as declared (1.5 s).");
  });

  test("of make verify says why it proves nothing", () => {
    const at = new Date("2026-11-26T08:00:00Z");
    expect(driftLines([], "whatever")).toEqual([]);
    expect(driftLines(["update network-on-w1"], lastText(false, { result: "failed", at }))).toEqual([
      "the cluster is not as declared (the last update failed, 2026-11-26T08:00:00.000Z); still to be done:",
      "  update network-on-w1",
    ]);
    expect(driftLines(["create web"], lastText(true, { result: "succeeded", at }))[0]).toContain(
      "(the last update was cut off, or is still at work)",
    );
    expect(driftLines(["update x"], lastText(false, { result: "succeeded", at }))[0]).toContain(
      "(the program or its config has changed since the last update)",
    );
    const many = Array.from({ length: 15 }, (_, i) => `create r${String(i)}`);
    expect(driftLines(many, "x").at(-1)).toBe("  and 3 more");
  });
});

test("the number of a lab's nodes is read from the stack's config", () => {
  expect(labNodesIn("")).toBe(3);
  expect(labNodesIn(`config:\n  podnet:nodes: '{"cp":{"slot":0},"w1":{"slot":1}}'\n`)).toBe(2);
  expect(labNodesIn(`config:\n  podnet:hosts: '{"a":{}}'\n`)).toBe(0);
});
