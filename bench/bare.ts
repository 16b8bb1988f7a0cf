import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installParameters } from "../components/cluster/nodes";
import { parseControlPlane } from "../components/cluster/kubeconfig";
import { memberLinesOf } from "../components/cluster/kubeadm";
import type { CheckRequest } from "../components/connectivity/input";
import { probeServices, probeTemplate } from "../components/connectivity/objects";
import { PROBE_LABEL, PROBE_NAMESPACE, PROBES } from "../components/connectivity/probes";
import { makeLabNetwork, makeLabNode } from "../components/lab/engine";
import { nodeAddress } from "../components/lab/identity";
import { makeKeys } from "../components/lab/keys";
import type { DialTable } from "../components/machine/dialTable";
import { bridgeDefinition } from "../components/network/bridge/definition";
import { checkedBy } from "../components/network/definition";
import type { PreflightRequest } from "../components/network/preflight";
import { routesOfEach } from "../components/network/routes";
import { type Parameters, parametersText } from "../components/node/parameters";
import type { Phase } from "../components/node/ask";
import { phaseHash, programFolder } from "../components/node/programFiles";
import { AGNHOST_IMAGE, KUBERNETES_VERSION } from "../components/node/releases";
import { SERVICE_LABEL } from "../components/service/selector";
import { lab, PROJECT, removeLab, seconds, type Settings, sh } from "./common";

/** Nodes of the bench's labs. */
export const NODES = [
  { name: "cp", slot: 0, role: "control-plane" },
  { name: "w1", slot: 1, role: "worker" },
  { name: "w2", slot: 2, role: "worker" },
] as const;
const [POD_CIDR, SERVICE_CIDR, DNS_DOMAIN] = ["10.244.0.0/16", "10.96.0.0/16", "cluster.local"];
const OWNER = "00000000-0000-4000-8000-000000000000";
/** The `podnet` command. */
const PODNET = join(PROJECT, "dist", "cli", "main.js");
const podCidr = (slot: number): string => `10.244.${String(slot)}.0/24`;

/** What the node program is told, by node and phase; what only the control plane can say is left to the script. */
export function barePhases(
  settings: Pick<Settings, "mirror" | "checksums">,
  address: (slot: number) => string,
): Record<string, string> {
  const checksums = JSON.parse(settings.checksums) as Record<string, string>;
  const definition = bridgeDefinition();
  const network = { network: definition.id, kind: definition.kind };
  const routes = routesOfEach(
    Object.fromEntries(NODES.map(({ name, slot }) => [name, { podCidr: podCidr(slot), internalIp: address(slot) }])),
  );
  const kubeletConfig = JSON.stringify({
    evictionHard: { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
    imageGCHighThresholdPercent: 100,
  });
  const member = memberLinesOf(Object.fromEntries(NODES.map(({ name, slot }) => [name, podCidr(slot)])));
  const texts: Record<string, string> = {};
  const put = (node: string, phase: Phase, parameters: Parameters, kind?: string): void => {
    // The initialization alone does not depend on its files.
    const files = phase === "init" ? undefined : phaseHash(phase, kind);
    texts[`${node}.${phase}`] = parametersText(phase, { node, owner: OWNER, ...parameters, files });
  };
  for (const { name, slot, role } of NODES) {
    const node = {
      "internal-ip": address(slot),
      "kubelet-config": kubeletConfig,
      "ignore-preflight-error": ["SystemVerification", "Swap", "Mem", "NumCPU"],
    };
    put(name, "take", { cluster: "bare" });
    put(name, "install", installParameters(role, { mirror: settings.mirror, checksums }));
    if (role === "worker") {
      const join = {
        endpoint: `${address(0)}:6443`,
        token: "from-the-answer",
        "ca-cert-hash": "from-the-answer",
        "node-pod-cidr": podCidr(slot),
      };
      put(name, "join", { ...node, ...join });
    } else {
      put(name, "init", {
        cluster: "bare",
        kubernetes: KUBERNETES_VERSION,
        ...node,
        "pod-cidr": POD_CIDR,
        "node-pod-cidr": podCidr(slot),
        "service-cidr": SERVICE_CIDR,
        "dns-domain": DNS_DOMAIN,
        "cert-san": [address(slot)],
      });
      put(name, "configure", { "kube-proxy-mode": "auto", schedulable: "no" });
      put(name, "members", { member, address: NODES.map((other) => `${other.name} ${address(other.slot)}`) });
      put(name, "register", { member });
      put(name, "change", { ...network, "replaces-kube-proxy": "no" }, definition.kind);
      put(name, "enable", { network: definition.id, member });
    }
    const parameters = {
      ...network,
      "internal-ip": address(slot),
      "pod-cidr": POD_CIDR,
      "node-pod-cidr": podCidr(slot),
      overhead: definition.overhead,
      egress: "podnet",
      "replaces-kube-proxy": "no",
      route: routes[name],
    };
    put(name, "network", parameters, definition.kind);
  }
  return texts;
}

/** The objects that the program makes: probes, their Services, and the demo service. */
function objects(): unknown[] {
  const namespace = PROBE_NAMESPACE;
  const labels = { app: "web", [SERVICE_LABEL]: "web" };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    ...PROBES.map((probe) => ({
      apiVersion: "apps/v1",
      kind: "DaemonSet",
      metadata: { name: probe, namespace },
      spec: { selector: { matchLabels: { [PROBE_LABEL]: probe } }, template: probeTemplate(probe, AGNHOST_IMAGE) },
    })),
    ...probeServices().map(({ name, spec }) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec,
    })),
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", namespace: "default" },
      spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              {
                name: "main",
                image: AGNHOST_IMAGE,
                args: ["netexec", "--http-port=8080"],
                readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 2 },
              },
            ],
          },
        },
      },
    },
  ];
}

/** The check's input, from what the script left. */
function request(
  read: (file: string) => string,
  address: (slot: number) => string,
  connections: DialTable,
): CheckRequest {
  const { kubeconfig } = parseControlPlane(read("cp.answer"), address(0));
  const services = JSON.parse(read("services.json")) as {
    items: { metadata: { namespace: string; name: string }; spec: { clusterIP: string } }[];
  };
  const ipOf = (namespace: string, service: string): string =>
    services.items.find(({ metadata }) => metadata.namespace === namespace && metadata.name === service)?.spec
      .clusterIP ?? "";
  return {
    kubeconfig,
    dnsDomain: DNS_DOMAIN,
    nodes: Object.fromEntries(
      NODES.map(({ name, slot }) => [name, { internalIp: address(slot), podCidr: podCidr(slot), mtu: 1500 }]),
    ),
    connections,
    probeServices: Object.fromEntries(probeServices().map(({ name }) => [name, ipOf(PROBE_NAMESPACE, name)])),
    services: [
      {
        namespace: "default",
        name: "web",
        type: "ClusterIP",
        clusterIP: ipOf("default", "web"),
        selector: { app: "web" },
        sessionAffinity: "None",
        publishNotReadyAddresses: false,
        ports: [{ name: "main", port: 80, targetPort: 8080, protocol: "TCP", answersName: true }],
      },
    ],
    network: checkedBy(bridgeDefinition()),
    readyTimeout: 120,
  };
}

/**
 * The peer: the same node program with the same parameters on the same kind of nodes, run by a bare shell, and the same objects
 * by kubectl. Returns its seconds, to the same green check.
 */
export async function bare(settings: Settings): Promise<number> {
  const { name: labName, subnet, bridge: network } = lab("bare");
  removeLab(labName, network);
  const folder = mkdtempSync(join(tmpdir(), "podnet-bench-"));
  const put = (file: string, text: string): void => writeFileSync(join(folder, file), text, { mode: 0o600 });
  const address = (slot: number): string => nodeAddress(subnet, slot);
  const { dockerHost, nodeImage: image, mirrorDir } = settings;
  const common = { labName, network, dockerHost };
  try {
    const started = Date.now();
    const { privateKey, publicKey } = makeKeys();
    await makeLabNetwork({ ...common, subnet });
    const hostKeys = await Promise.all(
      NODES.map(({ name: nodeName, slot }) =>
        makeLabNode({ ...common, nodeName, address: address(slot), image, publicKey, mirrorDir }),
      ),
    );
    const connection = (slot: number) => ({
      host: address(slot),
      port: 22,
      user: "root",
      hostKey: hostKeys[slot] ?? "",
    });
    const connections = {
      keys: { lab: privateKey },
      nodes: Object.fromEntries(NODES.map(({ name, slot }) => [name, { ...connection(slot), key: "lab" }])),
    };
    const { id, features, programs } = bridgeDefinition();
    const preflight: PreflightRequest = {
      network: id,
      features: [...features],
      programs: [...programs],
      oneLink: true,
      nodes: connections,
      declared: {},
      passing: NODES.map(({ name }) => name),
      gone: [],
    };
    put("key", privateKey);
    put("known_hosts", NODES.map(({ slot }) => `${address(slot)} ${hostKeys[slot] ?? ""}\n`).join(""));
    put("preflight.json", JSON.stringify(preflight));
    put("objects.json", JSON.stringify({ apiVersion: "v1", kind: "List", items: objects() }));
    Object.entries(barePhases(settings, address)).forEach(([file, text]) => put(file, text));
    sh("bash", ["--norc", join(PROJECT, "bench", "bare.sh")], "", {
      WORK: folder,
      HOSTS: NODES.map(({ name, slot }) => `${name}=${address(slot)}`).join(" "),
      PROGRAM: programFolder(),
      PODNET,
    });
    const read = (file: string): string => readFileSync(join(folder, file), "utf8");
    sh(process.execPath, [PODNET, "check"], JSON.stringify(request(read, address, connections)));
    return seconds(started);
  } finally {
    removeLab(labName, network);
    rmSync(folder, { recursive: true, force: true });
  }
}
