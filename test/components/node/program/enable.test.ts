import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Parameters } from "../../../../components/node/parameters";
import { bundled, edit, Machine } from "./machine";
import { FILES, OWNER, TAKE } from "./node";

// The waits of the phase are minutes; what it says at their end is the same after a second.
const program = bundled((components) => {
  const phase = join(components, "node", "program", "phases", "enable.sh");
  edit(phase, "wait_until 180", "wait_until 1");
  edit(phase, "wait_until 120", "wait_until 1");
});
const ENABLE: Parameters = {
  ...OWNER,
  network: "flannel-vxlan",
  generation: "1",
  member: ["cp 10.244.0.0/24", "w1 10.244.1.0/24"],
  rollout: ["daemonset kube-flannel/kube-flannel-ds"],
  files: FILES,
};

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
  await machine.does("take", TAKE);
  machine.standIn("kubectl", "/usr/local/bin");
});
afterEach(() => machine.close());

/** What the API server answers; all else is empty. */
function answers(cases: Readonly<Record<string, string>>): void {
  const lines = Object.entries(cases).map(([words, text]) => `    *"${words}"*) printf '%s\\n' '${text}' ;;`);
  machine.answers("kubectl", `case "$*" in\n${lines.join("\n")}\nesac`);
}

/** What the phase says at its end, without what it said while it waited. */
async function refusal(): Promise<string[]> {
  const { code, stderr } = await machine.run("enable", ENABLE);
  expect(code).toBe(1);
  const lines = stderr.trimEnd().split("\n");
  return lines.slice(lines.findIndex((line) => line.startsWith("podnet enable on machine: ")));
}

const WAITS = {
  "rollout status": "Waiting for daemon set kube-flannel-ds rollout to finish: 1 of 2 updated pods are available",
};
const NOT_READY = "  so daemonset kube-flannel-ds of flannel-vxlan is not ready";

describe("a network whose agents are not ready", () => {
  test("names the crash of one, by its last line and its node", async () => {
    answers({
      ...WAITS,
      "range .status.containerStatuses": "flannel-x w1 kube-flannel 1 CrashLoopBackOff back-off 10s restarting",
      "logs flannel-x -c kube-flannel --previous=true": "unable to retrieve container logs for containerd://1f",
      "logs flannel-x -c kube-flannel --previous=false": "no default route",
    });
    expect(await refusal()).toEqual([
      "podnet enable on machine: flannel-x on w1: container kube-flannel ended with exit code 1; its last line: no default route",
      NOT_READY,
    ]);
  });

  test("names the init container that failed, and a pod once", async () => {
    answers({
      ...WAITS,
      "range .status.initContainerStatuses": "flannel-x w1 install-cni 2 Error",
      "range .status.containerStatuses": "flannel-x w1 kube-flannel - PodInitializing",
    });
    expect(await refusal()).toEqual([
      "podnet enable on machine: flannel-x on w1: container install-cni ended with exit code 2",
      NOT_READY,
    ]);
  });

  test("names an image that cannot be had, in the kubelet's words", async () => {
    answers({
      ...WAITS,
      "range .status.containerStatuses": "flannel-x w1 kube-flannel - ErrImagePull connection refused",
    });
    expect(await refusal()).toEqual([
      "podnet enable on machine: flannel-x on w1: ErrImagePull: connection refused",
      NOT_READY,
    ]);
  });

  test("names what only the cluster's events tell", async () => {
    answers({
      ...WAITS,
      "range .status.containerStatuses": "flannel-x w1 kube-flannel - ContainerCreating",
      "involvedObject.name=flannel-x": "FailedMount: configmap kube-flannel-cfg not found",
    });
    expect(await refusal()).toEqual([
      "podnet enable on machine: flannel-x on w1: FailedMount: configmap kube-flannel-cfg not found",
      NOT_READY,
    ]);
  });

  test("names the nodes' own troubles first", async () => {
    answers({
      ...WAITS,
      "is not Ready: {{.message}}": "node w1 has DiskPressure: kubelet has disk pressure",
      "range .status.containerStatuses": "flannel-x w1 kube-flannel - - ",
    });
    expect(await refusal()).toEqual([
      "podnet enable on machine: node w1 has DiskPressure: kubelet has disk pressure",
      "flannel-x on w1: container kube-flannel is not ready",
      NOT_READY,
    ]);
  });

  test("that has no pod at all names the workload's last warning, or says that there is no reason", async () => {
    answers({ ...WAITS, "involvedObject.name=kube-flannel-ds": "FailedCreate: pods are forbidden: exceeded quota" });
    expect(await refusal()).toEqual([
      "podnet enable on machine: FailedCreate: pods are forbidden: exceeded quota",
      NOT_READY,
    ]);
    answers(WAITS);
    expect(await refusal()).toEqual(["podnet enable on machine: the API server knows no reason", NOT_READY]);
  });
});

test("a network whose nodes are not Ready names the kubelet's words", async () => {
  answers({
    "rollout status": 'daemon set "kube-flannel-ds" successfully rolled out',
    "is not Ready: {{.message}}":
      "node w1 is not Ready: container runtime network not ready: cni plugin not initialized",
    "conditions[?(@.type==": "cp True\nw1 False",
  });
  expect(await refusal()).toEqual([
    "podnet enable on machine: node w1 is not Ready: container runtime network not ready: cni plugin not initialized",
    "  so not every node is Ready",
  ]);
});

test("a network that is ready labels its nodes with it and says nothing", async () => {
  answers({
    "rollout status": 'daemon set "kube-flannel-ds" successfully rolled out',
    "conditions[?(@.type==": "cp True\nw1 True",
  });
  machine.calls();
  const { code, stderr } = await machine.run("enable", ENABLE);
  expect([code, stderr]).toEqual([0, ""]);
  expect(machine.calls().filter((call) => call.includes(" label "))).toEqual([
    expect.stringContaining("label --overwrite node cp w1 podnet.dev/network=flannel-vxlan"),
  ]);
});
