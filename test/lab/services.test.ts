import type { OutputMap, Stack } from "@pulumi/pulumi/automation";
import { ConfigGroup } from "@pulumi/kubernetes/yaml/v2";
import { LocalWorkspace } from "@pulumi/pulumi/automation";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  BridgeNetwork,
  Cluster,
  ConnectivityCheck,
  Lab,
  SelectedService,
  type SelectedServiceArgs,
} from "../../components";
import type { Report } from "../../components/connectivity/report/report";
import { AGNHOST_IMAGE } from "../../components/node/releases";
import { broken, kubectl, labSettings, onNode } from "./lab";

// A program as a user writes one, by the Automation API: a Service of each kind that podnet knows, on a lab of two nodes.
const NODES = ["cp", "w1"];
const ASKERS = NODES.flatMap((node) => [node, `${node}/probe-b`]);

/** What each Service takes beside what all have: pods that tell their names over TCP and UDP. */
const SERVICES: Readonly<Record<string, Partial<SelectedServiceArgs>>> = {
  web: {
    ports: [
      { name: "http", port: 80, targetPort: 8080 },
      { name: "udp", port: 80, targetPort: 8081, protocol: "UDP" },
    ],
  },
  doors: {
    type: "NodePort",
    ports: [
      { name: "http", port: 80, targetPort: 8080, nodePort: 30080 },
      { name: "udp", port: 81, targetPort: 8081, nodePort: 30081, protocol: "UDP" },
    ],
  },
  peers: { type: "Headless", ports: [{ port: 8080 }], publishNotReadyAddresses: true },
  sticky: { sessionAffinity: "ClientIP", ports: [{ port: 80, targetPort: 8080 }] },
};

/** What a user has in YAML beside podnet. */
const BESIDE = `
apiVersion: v1
kind: ConfigMap
metadata: {name: beside, namespace: default}
data: {who: user}
`;

function program(settings: Readonly<Record<string, string>>): () => Promise<Record<string, unknown>> {
  return async () => {
    const lab = new Lab("lab", {
      nodes: { cp: { slot: 0, role: "control-plane" }, w1: { slot: 1 } },
      labName: settings["labName"] ?? "",
      subnet: settings["labSubnet"] ?? "",
      image: settings["nodeImage"] ?? "",
      dockerHost: settings["dockerHost"] ?? "",
      mirrorDir: settings["mirrorDir"] ?? "",
    });
    const cluster = new Cluster("cluster", {
      nodes: lab.nodes,
      podCidr: "10.244.0.0/16",
      serviceCidr: "10.96.0.0/16",
      mirror: settings["mirror"],
      checksums: JSON.parse(settings["checksums"] ?? "{}") as Record<string, string>,
      scheduleOnControlPlane: true,
    });
    const network = new BridgeNetwork("network", { cluster });
    const services = Object.entries(SERVICES).map(
      ([name, more]) =>
        new SelectedService(
          name,
          {
            cluster,
            selector: { app: name },
            image: AGNHOST_IMAGE,
            args: ["netexec", "--http-port=8080", "--udp-port=8081"],
            replicas: 2,
            ports: [],
            ...more,
          },
          { dependsOn: network },
        ),
    );
    // A component of the Kubernetes provider itself, which makes its children where it runs.
    new ConfigGroup("beside", { yaml: BESIDE }, { provider: cluster.provider, dependsOn: network });
    const connectivity = new ConnectivityCheck("connectivity", { cluster, network, services });
    return Promise.resolve({ report: connectivity.json, verify: connectivity.verify });
  };
}

let stack: Stack;
let outputs: OutputMap;
let verify = "";

beforeAll(async () => {
  const settings = labSettings();
  stack = await LocalWorkspace.createOrSelectStack({
    stackName: "services",
    projectName: "podnet-services",
    program: program(settings),
  });
  await stack.destroy();
  ({ outputs } = await stack.up());
  verify = String(outputs["verify"]?.value);
});

afterAll(async () => {
  await stack.destroy();
  await stack.workspace.removeStack("services", { force: true });
});

const report = (): Report => JSON.parse(String(outputs["report"]?.value)) as Report;
const podsOf = (service: string): string[] =>
  kubectl("-n", "default", "get", "pods", "-l", `app=${service}`, "-o", "jsonpath={.items[*].metadata.name}").split(
    " ",
  );

/** Waits until every node's kube-proxy has rules of which a line matches, or has none of them. */
function followed(pattern: string, there: boolean): void {
  for (const node of NODES) {
    onNode(
      node,
      `for i in $(seq 100); do
        if nft list table ip kube-proxy | grep -E '${pattern}' > /dev/null; then seen=true; else seen=false; fi
        if [[ $seen == ${String(there)} ]]; then exit 0; fi
        sleep 0.1
      done
      echo "kube-proxy did not follow within 10 s" >&2; exit 1`,
    );
  }
}

/** Drops what matches on a node before anything else sees it. */
const dropping = (node: string, match: string) => ({
  on: () =>
    void onNode(
      node,
      `nft add table ip broken; nft add chain ip broken pre '{ type filter hook prerouting priority -310; }'; nft add rule ip broken pre ${match} drop`,
    ),
  off: () => void onNode(node, "nft delete table ip broken"),
});

describe("services of each kind", () => {
  test("are proven, each by what it promises", () => {
    const { passed, claims, problems } = report();
    expect(problems).toEqual([]);
    expect(passed).toBe(true);
    // From two nodes and a pod on each: the check's own Service over TCP and UDP; web's 2 ports; doors' 2 ports by the ClusterIP
    // and by two nodes; peers' 2 pods; sticky once, and once more for its affinity. Besides, from the pod's own node, each of 2 pods on
    // web's 2 ports, doors' 2 and sticky's one.
    expect(claims["service"]).toEqual({
      passed: ASKERS.length * (2 + 2 + 2 * 3 + 2 + 2) + 2 * (2 + 2 + 1),
      failed: 0,
      blocked: 0,
      "not-applicable": 0,
    });
  });

  test("a node's port that takes nothing is named with its node, by transport", () => {
    const { on, off } = dropping("w1", "fib daddr type local tcp dport 30080");
    broken(
      verify,
      on,
      off,
      ["cp", "cp/probe-b", "w1/probe-b"].map((from) => `service ${from} -> default/doors:http at w1:30080 TCP`),
    );
    const udp = dropping("w1", "fib daddr type local udp dport 30081");
    broken(
      verify,
      udp.on,
      udp.off,
      ["cp", "cp/probe-b", "w1/probe-b"].map((from) => `service ${from} -> default/doors:udp at w1:30081 UDP`),
    );
  });

  test("a UDP port that nobody serves is named, and the TCP port of the same number is not", () => {
    const port = (target: number): void => {
      kubectl(
        ...["-n", "default", "patch", "service", "web", "--type", "json", "-p"],
        `[{"op":"replace","path":"/spec/ports/1/targetPort","value":${String(target)}}]`,
      );
      followed("[.] 8099[, ]", target === 8099);
    };
    broken(
      verify,
      () => port(8099),
      () => port(8081),
      ASKERS.map((from) => `service ${from} -> default/web:udp UDP`),
    );
  });

  test("affinity that is gone is named for each client", () => {
    const affinity = (value: "None" | "ClientIP"): void => {
      kubectl(
        ...["-n", "default", "patch", "service", "sticky", "--type", "merge", "-p"],
        `{"spec":{"sessionAffinity":"${value}"}}`,
      );
      followed("affinity.*default/sticky", value === "ClientIP");
    };
    broken(
      verify,
      () => affinity("None"),
      () => affinity("ClientIP"),
      ASKERS.map((from) => `service ${from} -> default/sticky TCP`),
    );
  });

  test("a pod of a headless Service that does not answer is named", () => {
    const [pod = ""] = podsOf("peers");
    const [node = "", ip = ""] = kubectl(
      ...["-n", "default", "get", "pod", pod, "-o", "jsonpath={.spec.nodeName} {.status.podIP}"],
    ).split(" ");
    const { on, off } = dropping(node, `ip daddr ${ip} tcp dport 8080`);
    // What the node itself sends does not come in by any link.
    broken(
      verify,
      on,
      off,
      ASKERS.filter((from) => from !== node).map((from) => `service ${from} -> default/peers at ${pod} TCP`),
    );
  });
});

test("what the Kubernetes provider's own components read from YAML is made too", () => {
  expect(kubectl("-n", "default", "get", "configmap", "beside", "-o", "jsonpath={.data.who}")).toBe("user");
});

test("the program's second update changes nothing", async () => {
  const { changeSummary } = await stack.preview();
  expect(Object.keys(changeSummary)).toEqual(["same"]);
});
