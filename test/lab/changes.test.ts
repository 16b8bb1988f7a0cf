import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../../components/connectivity/report/report";
import { configure, createStack, kubectl, mustPulumi, onNode, output, pulumi, run, STACK, unset } from "./lab";

// Each argument of a living cluster is changed, and what came of it is read from the nodes and the API, never from the state.
const NODES = ["cp", "w1"];

beforeAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  createStack();
  configure({ nodes: '{"cp":{"slot":0,"role":"control-plane"},"w1":{"slot":1}}' });
  mustPulumi("up", "--yes", "--skip-preview");
});

afterAll(() => {
  mustPulumi("destroy", "--yes", "--skip-preview");
  mustPulumi("stack", "rm", "--yes");
});

/** What runs in the cluster, and what podnet has on each node: all that a refused update must leave as it is. */
function cluster(): string[] {
  return [
    kubectl("get", "nodes", "-o", 'jsonpath={range .items[*]}{.metadata.uid} {.metadata.name} {.spec}{"\\n"}{end}'),
    pods(),
    ...NODES.map((node) => onNode(node, "printf 'nonce: 00000000\\nend\\n' | bash /root/.podnet/program/start status")),
  ].map((text) => text.replace(/"(work|applied|runs)":[^,}]*/g, ""));
}

/** Every pod with its containers: a pod that started anew has others. */
function pods(): string {
  return kubectl(
    ...["get", "pods", "--all-namespaces", "-o"],
    'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].containerID}{"\\n"}{end}',
  );
}

/** Updates the stack with these settings, sees in what the update says that the check ran, and sees the claims proven. */
function updated(settings: Readonly<Record<string, string>>): Report["claims"] {
  configure(settings);
  expect(mustPulumi("up", "--yes", "--skip-preview")).toMatch(/✓ pod-to-pod +\d+\/\d+/);
  expect(output("passed")).toBe(true);
  return output("claims") as Report["claims"];
}

describe("what cannot change while a cluster lives", () => {
  test("is refused, all of it at once, and nothing is touched", () => {
    const before = cluster();
    configure({ clusterName: "other", podCidr: "10.200.0.0/16", serviceCidr: "10.97.0.0/16", nodePrefix: "25" });
    const { code, out, err } = pulumi("up", "--yes", "--skip-preview");
    expect(code).not.toBe(0);
    const said = `${out}${err}`.split("\n").map((line) => line.trim());
    const first = said.findIndex((line) =>
      line.includes("podnet init on cp: this cannot change in a cluster that lives"),
    );
    expect(said.slice(first + 1, first + 6)).toEqual([
      "- clusterName: it is podnet, and the program says other",
      "- podCidr: it is 10.244.0.0/16, and the program says 10.200.0.0/16",
      "- serviceCidr: it is 10.96.0.0/16, and the program says 10.97.0.0/16",
      "- pod CIDR of the control plane, which follows from podCidr, nodePrefix and its slot: it is 10.244.0.0/24, and the program says 10.200.0.0/25",
      "Put it back; or make the cluster anew with pulumi destroy and pulumi up, which ends all that runs in it",
    ]);
    expect(cluster()).toEqual(before);
    ["clusterName", "podCidr", "serviceCidr", "nodePrefix"].forEach(unset);
    mustPulumi("up", "--yes", "--skip-preview");
    expect(cluster()).toEqual(before);
  });

  test("is the control plane's place, too", () => {
    const before = cluster();
    // Another node that is there, and one that is not there yet.
    for (const [nodes, name] of [
      ['{"cp":{"slot":0},"w1":{"slot":1,"role":"control-plane"}}', "w1"],
      ['{"master":{"slot":5,"role":"control-plane"},"w1":{"slot":1}}', "master"],
    ] as const) {
      configure({ nodes });
      const { code, out, err } = pulumi("up", "--yes", "--skip-preview");
      expect(code).not.toBe(0);
      expect(`${out}${err}`).toContain(
        `${name}: the cluster's control plane is cp, and podnet does not move a control plane: that would end all that runs in the cluster.`,
      );
      expect(cluster()).toEqual(before);
    }
    configure({ nodes: '{"cp":{"slot":0,"role":"control-plane"},"w1":{"slot":1}}' });
    mustPulumi("up", "--yes", "--skip-preview");
    expect(cluster()).toEqual(before);
  });
});

test("a Service of somebody else's is refused by name, in the preview already, and left as it is", () => {
  kubectl("-n", "default", "create", "service", "clusterip", "taken", "--tcp=80");
  const service = (): string => kubectl("-n", "default", "get", "service", "taken", "-o", "json");
  const before = service();
  configure({ serviceName: "taken" });
  for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
    const { code, out, err } = pulumi(...command);
    expect(code).not.toBe(0);
    expect(`${out}${err}`).toContain(
      "Service default/taken belongs to somebody else: podnet did not make it. It was left as it is. Choose another name or delete it;",
    );
    expect(service()).toBe(before);
  }
  unset("serviceName");
  kubectl("-n", "default", "delete", "service", "taken");
  mustPulumi("up", "--yes", "--skip-preview");
});

describe("what changes in place", () => {
  test("mtu: pods that run have the new one, and none starts anew", () => {
    const before = pods();
    const mtus = (): string[] =>
      NODES.map((node) =>
        onNode(
          node,
          "for name in $(ip netns list | awk '{ print $1 }'); do ip -n $name -o link show eth0 | sed 's/.*mtu \\([0-9]*\\).*/\\1/'; done | sort -u; cat /sys/class/net/cni0/mtu",
        ),
      );
    expect(updated({ mtu: "1400" }).mtu).toEqual({ passed: 4, failed: 0, blocked: 0, "not-applicable": 0 });
    expect(mtus()).toEqual(["1400\n1400\n", "1400\n1400\n"]);
    expect(pods()).toBe(before);
    unset("mtu");
    updated({});
    expect(mtus()).toEqual(["1500\n1500\n", "1500\n1500\n"]);
    expect(pods()).toBe(before);
  });

  test("kubeProxyMode: kube-proxy serves by the other mode, and the rules of the old one are gone", () => {
    const rules = (): [boolean, boolean][] =>
      NODES.map((node) => [
        onNode(node, "nft list tables").includes("ip kube-proxy"),
        onNode(node, "iptables-save 2>/dev/null").includes("KUBE-SVC-"),
      ]);
    updated({ kubeProxyMode: "iptables" });
    expect(rules()).toEqual(NODES.map(() => [false, true]));
    updated({ kubeProxyMode: "nftables" });
    expect(rules()).toEqual(NODES.map(() => [true, false]));
    unset("kubeProxyMode");
    updated({});
  });

  test("scheduleOnControlPlane: the taint is there or not", () => {
    const taint = (): string => kubectl("get", "node", "cp", "-o", "jsonpath={.spec.taints[*].key}");
    updated({ scheduleOnControlPlane: "false" });
    expect(taint()).toBe("node-role.kubernetes.io/control-plane");
    updated({ scheduleOnControlPlane: "true" });
    expect(taint()).toBe("");
  });
});
