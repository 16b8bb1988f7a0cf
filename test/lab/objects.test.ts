import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Deployment, OutputMap, Stack, UpResult } from "@pulumi/pulumi/automation";
import { LocalWorkspace } from "@pulumi/pulumi/automation";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BridgeNetwork, Cluster, ConnectivityCheck, Lab, SelectedService } from "../../components";
import type { SelectedServiceArgs } from "../../components";
import type { Report } from "../../components/connectivity/report/report";
import { AGNHOST_IMAGE } from "../../components/node/releases";
import { check, kubectl, LAB, labSettings, must, PROJECT } from "./lab";

// A program as a user writes one, by the Automation API, whose one service changes from test to test on a lab of two nodes.
type Service = Omit<SelectedServiceArgs, "cluster">;

const listening = (port: number): string[] => ["netexec", `--http-port=${String(port)}`];
const FIRST: Service = {
  selector: { app: "web" },
  image: AGNHOST_IMAGE,
  args: listening(8080),
  replicas: 2,
  ports: [{ port: 80, targetPort: 8080 }],
  timeout: 60,
};
let service: Service = FIRST;

function program(settings: Readonly<Record<string, string>>): () => Promise<Record<string, unknown>> {
  return () => {
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
    const web = new SelectedService("web", { cluster, ...service }, { dependsOn: network });
    const connectivity = new ConnectivityCheck("connectivity", { cluster, network, services: [web] });
    return Promise.resolve({ report: connectivity.json, verify: connectivity.verify });
  };
}

let stack: Stack;
let outputs: OutputMap;

beforeAll(async () => {
  const settings = labSettings();
  stack = await LocalWorkspace.createOrSelectStack({
    stackName: "objects",
    projectName: "podnet-objects",
    program: program(settings),
  });
  await stack.destroy();
  ({ outputs } = await stack.up());
});

afterAll(async () => {
  await stack.destroy();
  await stack.workspace.removeStack("objects", { force: true });
});

interface Resource {
  readonly urn: string;
  readonly id?: string;
}

const nameOf = (urn: string): string => urn.split("::").at(-1) ?? "";
const stateOf = (exported: Deployment): { resources: Resource[]; pending_operations?: unknown[] } =>
  exported.deployment as { resources: Resource[] };

/** Ids of all resources by name: another id is another resource. */
async function ids(): Promise<Map<string, string>> {
  const { resources } = stateOf(await stack.exportStack());
  return new Map(resources.map(({ urn, id }) => [nameOf(urn), id ?? ""]));
}

/** What the API server has of an object of the service's. */
const live = (kind: string, path: string, name = "web", namespace = "default"): string =>
  kubectl("-n", namespace, "get", kind, name, "-o", `jsonpath={${path}}`);

/** Changes the service, updates, sees that the check ran in that update and holds, and returns what the update did. */
async function change(more: Partial<Service>): Promise<UpResult> {
  const before = await ids();
  service = { ...service, ...more };
  const result = await stack.up();
  ({ outputs } = result);
  expect((JSON.parse(String(outputs["report"]?.value)) as Report).passed).toBe(true);
  expect((await ids()).get("connectivity-run")).not.toBe(before.get("connectivity-run"));
  return result;
}

/** The error of an update that has to fail: the lines that say why. */
async function failing(more: Partial<Service>, update: () => Promise<unknown> = () => stack.up()): Promise<string> {
  const kept = service;
  service = { ...service, ...more };
  try {
    await update();
  } catch (error) {
    return String(error);
  } finally {
    service = kept;
  }
  throw new Error("the update did not fail");
}

/** Each argument of a SelectedService: what it is changed to, what is made anew by it, and where that is so in the API. */
const ROWS: readonly [
  argument: string,
  to: Partial<Service>,
  anew: readonly ("deployment" | "service")[],
  seen: () => unknown,
  expected: unknown,
][] = [
  ["replicas", { replicas: 3 }, [], () => live("deployment", ".status.readyReplicas"), "3"],
  [
    "args and targetPort",
    { args: listening(9090), ports: [{ port: 80, targetPort: 9090 }] },
    [],
    () => [
      live("deployment", ".spec.template.spec.containers[0].args"),
      live("service", ".spec.ports[0].targetPort"),
      live("deployment", ".status.updatedReplicas"),
    ],
    [JSON.stringify(listening(9090)), "9090", "3"],
  ],
  [
    "ports",
    {
      args: ["netexec", "--http-port=9090", "--udp-port=9091"],
      ports: [
        { name: "http", port: 81, targetPort: 9090 },
        { name: "udp", port: 81, targetPort: 9091, protocol: "UDP" },
      ],
    },
    [],
    () => live("service", ".spec.ports[*].port"),
    "81 81",
  ],
  ["type NodePort", { type: "NodePort" }, [], () => live("service", ".spec.type"), "NodePort"],
  [
    "nodePort",
    { ports: [{ port: 81, targetPort: 9090, nodePort: 30123 }] },
    [],
    () => live("service", ".spec.ports[*].nodePort"),
    "30123",
  ],
  [
    "sessionAffinity, and the type back",
    { type: "ClusterIP", sessionAffinity: "ClientIP", ports: [{ port: 81, targetPort: 9090 }] },
    [],
    () => [
      live("service", ".spec.type"),
      live("service", ".spec.sessionAffinity"),
      live("service", ".spec.ports[*].nodePort"),
    ],
    ["ClusterIP", "ClientIP", ""],
  ],
  [
    "publishNotReadyAddresses, and no affinity",
    { sessionAffinity: "None", publishNotReadyAddresses: true },
    [],
    () => [live("service", ".spec.sessionAffinity"), live("service", ".spec.publishNotReadyAddresses")],
    ["None", "true"],
  ],
  [
    "selector",
    { selector: { app: "web", tier: "front" } },
    ["deployment"],
    () => live("service", ".spec.selector"),
    '{"app":"web","tier":"front"}',
  ],
  [
    "type Headless, without a preview",
    { type: "Headless", ports: [{ port: 9090 }] },
    ["service"],
    () => live("service", ".spec.clusterIP"),
    "None",
  ],
  [
    "serviceName",
    { serviceName: "shop" },
    ["deployment", "service"],
    () => live("service", ".spec.clusterIP", "shop"),
    "None",
  ],
];

describe("each argument of a SelectedService", () => {
  const uids = (): Record<string, string> => {
    const name = service.serviceName ?? "web";
    return Object.fromEntries(["deployment", "service"].map((kind) => [kind, live(kind, ".metadata.uid", name)]));
  };

  test.each(ROWS)("%s is so after an update, which runs the check", async (_, to, anew, seen, expected) => {
    const before = uids();
    await change(to);
    const after = uids();
    expect(Object.keys(after).filter((kind) => after[kind] !== before[kind])).toEqual(anew);
    expect(seen()).toEqual(expected);
  });

  test("a second update changes nothing and runs no check", async () => {
    expect(Object.keys((await stack.preview()).changeSummary)).toEqual(["same"]);
  });

  test("the namespace has to be there, and is named where it is not", async () => {
    expect(await failing({ namespace: "nowhere" })).toContain('namespaces "nowhere" not found');
    await change({ serviceName: "web", type: "ClusterIP", publishNotReadyAddresses: false, selector: { app: "web" } });
  });
});

describe("an object that is there already", () => {
  test("of somebody else's is refused by the preview and by the update, which end, and is left as it is", async () => {
    kubectl("create", "service", "clusterip", "theirs", "--tcp=80:80");
    const theirs = live("service", ".metadata", "theirs");
    const refusal = "Service default/theirs belongs to somebody else: podnet did not make it. It was left as it is.";
    const named = { serviceName: "theirs" };
    const uid = live("service", ".metadata.uid");
    expect(await failing(named, () => stack.preview())).toContain(refusal);
    expect(await failing(named)).toContain(refusal);
    expect(live("service", ".metadata", "theirs")).toBe(theirs);
    expect(live("service", ".metadata.uid")).toBe(uid);
    expect(stateOf(await stack.exportStack()).pending_operations ?? []).toEqual([]);
    kubectl("delete", "service", "theirs");
    // An update without a preview may have begun with what does not wait for the Service.
    ({ outputs } = await stack.up());
    expect(check(String(outputs["verify"]?.value)).passed).toBe(true);
    expect(live("service", ".metadata.uid")).toBe(uid);
    expect(Object.keys((await stack.preview()).changeSummary)).toEqual(["same"]);
  });

  test("is taken over where the stack made it and lost its state", async () => {
    const exported = await stack.exportStack();
    const { resources } = stateOf(exported);
    const lost = /^(web-(service|workload|endpoints)|connectivity-(namespace|probe.*|hairpin|run))$/;
    stateOf(exported).resources = resources.filter(({ urn }) => !lost.test(nameOf(urn)));
    await stack.importStack(exported);
    const uid = live("deployment", ".metadata.uid");
    await change({});
    expect(live("deployment", ".metadata.uid")).toBe(uid);
    expect(Object.keys((await stack.preview()).changeSummary)).toEqual(["same"]);
  });

  test.each(["web-service", "web-workload", "web-endpoints", "connectivity-namespace", "connectivity-probe-a"])(
    "is there and proven after %s was replaced",
    async (name) => {
      const { resources } = stateOf(await stack.exportStack());
      const urn = resources.find((one) => nameOf(one.urn) === name)?.urn ?? "";
      const before = await ids();
      ({ outputs } = await stack.up({ replace: [urn] }));
      expect((await ids()).get("connectivity-run")).not.toBe(before.get("connectivity-run"));
      expect(check(String(outputs["verify"]?.value)).passed).toBe(true);
    },
  );
});

describe("what the nodes and the API know is said", () => {
  test("of an image that cannot be had, and of one with a name that none has", async () => {
    // A registry that does not answer, and one that refuses.
    expect(await failing({ image: "192.0.2.1/none:1", timeout: 15 })).toMatch(
      /web-[a-z0-9-]+ on (cp|w1): its containers are being made: Pulling image .*192\.0\.2\.1\/none:1/,
    );
    expect(await failing({ image: "127.0.0.1:1/none:1", timeout: 15 })).toMatch(
      /web-[a-z0-9-]+ on (cp|w1): (ErrImagePull|ImagePullBackOff): .*127\.0\.0\.1:1/,
    );
    // Of the names that podnet takes, the kubelet refuses the one that looks like an image's id.
    expect(await failing({ image: "0123456789abcdef".repeat(4) })).toMatch(
      /InvalidImageName: .*which no waiting mends/,
    );
  });

  test("of a container that crashes: how it ended and its last line", async () => {
    expect(await failing({ args: ["nonsense"], timeout: 20 })).toMatch(
      /web-[a-z0-9-]+ on (cp|w1): (CrashLoopBackOff; )?container main ended with exit code 1; its last line: .*nonsense/,
    );
    await change({});
  });

  test("of a cluster without DNS", () => {
    kubectl("-n", "kube-system", "scale", "deployment", "coredns", "--replicas=0");
    try {
      const { problems } = check(String(outputs["verify"]?.value));
      expect(problems.map(({ claim, seen }) => `${claim} ${seen}`)).toEqual(
        ["cp", "w1"].map(
          () =>
            "dns the cluster's DNS does not run: the cluster runs no DNS: no pod in kube-system has the label k8s-app=kube-dns",
        ),
      );
    } finally {
      kubectl("-n", "kube-system", "scale", "deployment", "coredns", "--replicas=2");
    }
    kubectl("-n", "kube-system", "rollout", "status", "deployment", "coredns", "--timeout=60s");
  });

  test("of a node that freezes in the middle of a check, within 30 s", async () => {
    const child = spawn(process.execPath, [join(PROJECT, "dist", "cli", "main.js"), "check"], {
      stdio: ["pipe", "ignore", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stdin.end(String(outputs["verify"]?.value));
    const over = new Promise<number | null>((done) => child.on("close", done));
    try {
      while (!said.includes("asking")) {
        await sleep(20);
      }
      must("docker", ["pause", `${LAB}-w1`]);
      const frozen = Date.now();
      expect(await over).toBe(2);
      expect(Date.now() - frozen).toBeLessThan(30_000);
      expect(said).toMatch(/connectivity check could not run: w1: it answers no more/);
    } finally {
      must("docker", ["unpause", `${LAB}-w1`]);
    }
    expect(check(String(outputs["verify"]?.value)).passed).toBe(true);
  });
});
