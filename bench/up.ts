import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CheckInput } from "../components/connectivity/input";
import { probeServices, probeTemplate } from "../components/connectivity/objects";
import { PROBE_LABEL, PROBE_NAMESPACE, PROBES } from "../components/connectivity/probes";
import { parseControlPlane } from "../components/cluster/kubeadm/output";
import { initScript, joinScript, registerScript } from "../components/cluster/kubeadm/scripts";
import { NODE_SCRIPT } from "../components/lab/docker";
import { nodeAddress } from "../components/lab/identity";
import { nodeScript } from "../components/network/node";
import { bridgePlan, checkedBy } from "../components/network/definition";
import { claimScript, installScript } from "../components/node/install";
import { AGNHOST_IMAGE, KUBERNETES_VERSION } from "../components/node/releases";
import { SERVICE_LABEL } from "../components/service/selector";
import { scriptText } from "../components/node/command";
import { barChart } from "./chart";
import { lab, machineText, median, PROJECT, removeLab, RESULTS, seconds, type Settings, sh } from "./common";

const NODES = [
  { name: "cp", slot: 0, role: "control-plane" },
  { name: "w1", slot: 1, role: "worker" },
  { name: "w2", slot: 2, role: "worker" },
] as const;
const [POD_CIDR, SERVICE_CIDR] = ["10.244.0.0/16", "10.96.0.0/16"];
const ROUNDS = Number(process.env["PODNET_BENCH_ROUNDS"] ?? "2");

/**
 * The peer: the same scripts on the same kind of nodes over the same SSH, run by a bare shell with `&` and `wait` wherever
 * steps do not need each other, and the same objects by kubectl. Returns its seconds, to the same green check.
 */
function bare(settings: Settings): number {
  const { name, subnet, bridge } = lab("bare");
  removeLab(name, bridge);
  const folder = mkdtempSync(join(tmpdir(), "podnet-bench-"));
  try {
    sh("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
    const publicKey = readFileSync(join(folder, "key.pub"), "utf8").trim();
    const address = (slot: number): string => nodeAddress(subnet, slot);
    const podCidr = (slot: number): string => `10.244.${String(slot)}.0/24`;
    const checksums = JSON.parse(settings.checksums) as Record<string, string>;
    const kubeletConfig = {
      evictionHard: { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
      imageGCHighThresholdPercent: 100,
    };
    const ignorePreflightErrors = ["SystemVerification", "Swap", "Mem", "NumCPU"];
    const put = (file: string, create: string): void => writeFileSync(join(folder, file), scriptText({ create }));
    for (const { name: node, slot, role } of NODES) {
      put(`node-${node}`, NODE_SCRIPT);
      put(`claim-${node}`, claimScript("bare"));
      put(`install-${node}`, installScript({ role, mirror: settings.mirror, checksums }));
      const peers = NODES.filter((other) => other.name !== node).map((other) => ({
        podCidr: podCidr(other.slot),
        internalIp: address(other.slot),
      }));
      const bridgeInput = {
        internalIp: address(slot),
        nodePodCidr: podCidr(slot),
        podCidr: POD_CIDR,
        peers,
      };
      put(`bridge-${node}`, nodeScript(bridgePlan(), bridgeInput));
      put(`register-${node}`, registerScript(node, podCidr(slot)));
      const join = {
        nodeName: node,
        internalIp: address(slot),
        endpoint: `${address(0)}:6443`,
        token: "@TOKEN@",
        caCertHash: "@HASH@",
        ignorePreflightErrors,
      };
      put(`join-${node}`, joinScript({ ...join, kubeletConfig }));
    }
    put(
      "init",
      initScript({
        clusterName: "bare",
        nodeName: "cp",
        internalIp: address(0),
        certSans: [address(0)],
        kubernetesVersion: KUBERNETES_VERSION,
        podCidr: POD_CIDR,
        nodePodCidr: podCidr(0),
        serviceCidr: SERVICE_CIDR,
        dnsDomain: "cluster.local",
        kubeProxyMode: "auto",
        tainted: false,
        kubeletConfig,
        ignorePreflightErrors,
      }),
    );
    writeFileSync(join(folder, "objects.json"), JSON.stringify({ apiVersion: "v1", kind: "List", items: objects() }));
    const environment = {
      LAB: name,
      NETWORK: bridge,
      SUBNET: subnet,
      IMAGE: settings.nodeImage,
      PUBLIC_KEY: publicKey,
      MIRROR_DIR: settings.mirrorDir,
      FOLDER: folder,
      PROJECT,
    };
    const script = `
set -euo pipefail
cd "$FOLDER"
run='bash --norc --noprofile -euo pipefail -c '"'"'eval "$(cat)"; create'"'"
ip() { echo "\${SUBNET%.*}.$((10 + $1))"; }
on() { ssh -q -i key -o BatchMode=yes -o UserKnownHostsFile="$FOLDER/known" -o StrictHostKeyChecking=yes "root@$(ip "$1")" "$run"; }
docker network create --driver bridge --subnet "$SUBNET" --opt com.docker.network.bridge.name="$NETWORK" --label podnet.lab="$LAB" "$NETWORK" >/dev/null
node() {
  CONTAINER="$LAB-$1" HOST="$1" ADDRESS="$(ip "$2")" bash --norc -euo pipefail -c 'eval "$(cat)"; create' <"node-$1" | sed "s/^/$(ip "$2") /" >"known-$1"
}
node cp 0 & a=$!; node w1 1 & b=$!; node w2 2 & c=$!; wait $a; wait $b; wait $c
cat known-cp known-w1 known-w2 >known
runtime() { on "$2" <"claim-$1" && on "$2" <"install-$1"; }
control() { runtime cp 0 && on 0 <init >init.out; on 0 <bridge-cp >/dev/null; }
control & a=$!
runtime w1 1 & b=$!; runtime w2 2 & c=$!
wait $a; wait $b; wait $c
hash=$(sed 's/.*"caCertHash":"\\([^"]*\\)".*/\\1/' init.out)
member() {
  token=$(echo 'create() { /usr/local/bin/kubeadm --kubeconfig /etc/kubernetes/admin.conf token create --ttl 24h 2>/dev/null; }' | on 0)
  sed "s/@TOKEN@/$token/; s/@HASH@/$hash/" "join-$1" | on "$2" >/dev/null
  on 0 <"register-$1"
}
on 1 <bridge-w1 >/dev/null & d=$!; on 2 <bridge-w2 >/dev/null & e=$!
member w1 1 & b=$!; member w2 2 & c=$!; wait $b; wait $c; wait $d; wait $e
kubectl() { ssh -q -i key -o BatchMode=yes -o UserKnownHostsFile="$FOLDER/known" "root@$(ip 0)" "/usr/local/bin/kubectl --kubeconfig /etc/kubernetes/admin.conf $*"; }
kubectl wait --for condition=Ready --timeout 90s node/cp node/w1 node/w2 >/dev/null
kubectl apply -f - <objects.json >/dev/null
kubectl rollout status deployment/web --timeout 120s >/dev/null
kubectl get services -A -o json >services.json
`;
    const started = Date.now();
    sh("bash", ["--norc", "-c", script], "", environment);
    const { kubeconfig } = parseControlPlane(readFileSync(join(folder, "init.out"), "utf8"), address(0));
    const services = JSON.parse(readFileSync(join(folder, "services.json"), "utf8")) as {
      items: { metadata: { namespace: string; name: string }; spec: { clusterIP: string } }[];
    };
    const ipOf = (namespace: string, service: string): string =>
      services.items.find(({ metadata }) => metadata.namespace === namespace && metadata.name === service)?.spec
        .clusterIP ?? "";
    const known = readFileSync(join(folder, "known"), "utf8").split("\n");
    const input: CheckInput = {
      kubeconfig,
      dnsDomain: "cluster.local",
      nodes: Object.fromEntries(
        NODES.map(({ name: node, slot }) => [
          node,
          {
            internalIp: address(slot),
            podCidr: podCidr(slot),
            mtu: 1500,
            connection: {
              host: address(slot),
              port: 22,
              user: "root",
              privateKey: readFileSync(join(folder, "key"), "utf8"),
              hostKey:
                known.find((line) => line.startsWith(`${address(slot)} `))?.slice(address(slot).length + 1) ?? "",
            },
          },
        ]),
      ),
      probeServices: Object.fromEntries(
        probeServices(NODES.map((node) => node.name)).map((service) => [
          service.name,
          ipOf(PROBE_NAMESPACE, service.name),
        ]),
      ),
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
      network: checkedBy(bridgePlan()),
      readyTimeout: 120,
    };
    sh(process.execPath, [join(PROJECT, "dist", "components", "connectivity", "run.js")], JSON.stringify(input));
    return seconds(started);
  } finally {
    removeLab(name, bridge);
    rmSync(folder, { recursive: true, force: true });
  }
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
    ...probeServices(NODES.map(({ name }) => name)).map(({ name, spec }) => ({
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
export function benchUp(own: Settings): void {
  const peers: number[] = [];
  const runs: Podnet[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    peers.push(bare(own));
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
