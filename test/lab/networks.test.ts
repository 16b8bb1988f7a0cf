import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Report } from "../../components/connectivity/report/report";
import {
  check,
  configure,
  createStack,
  failures,
  kubectl,
  LAB,
  must,
  mustPulumi,
  onNode,
  output,
  PROJECT,
  pulumi,
  run,
  STACK,
  unset,
} from "./lab";

// A lab of its own, on which the networks take turns.
const NODES = ["cp", "w1", "w2"];
const SOAK = process.env["PODNET_SUITE"] === "soak";

/** Each network as the tests choose it: its config, the id it then has, and what its traces on a node look like. */
const NETWORKS = {
  bridge: {
    settings: { network: "bridge" },
    id: "bridge",
    traces:
      /podnet-network\.service|10-podnet\.conflist|proto 71|table ip podnet$|\/var\/lib\/podnet\/network$|result podnet/,
  },
  flannel: {
    settings: { network: "flannel", flannelBackend: "vxlan" },
    id: "flannel-vxlan",
    traces: /flannel|FLANNEL|cbr0/i,
  },
  "kube-router": {
    settings: { network: "kube-router" },
    id: "kube-router",
    traces:
      /kube-?router|kube-bridge|KUBE-NWPLCY|KUBE-POD-FW|KUBE-SRC|KUBE-DST|proto 17|mynet|node port traffic on node interface|bound traffic (to|from) pods/i,
  },
  cilium: {
    settings: { network: "cilium" },
    id: "cilium-native",
    traces: /cilium|lxc|sys\/fs\/bpf\/|lookup 200[45]|clsact|table ip6? raw/i,
  },
} as const;
type Network = keyof typeof NETWORKS;

/** Every ordered pair of the four once: each network is left for each other. */
const ALL_SWITCHES: readonly Network[] = [
  ...(["flannel", "bridge", "kube-router", "bridge", "cilium", "flannel", "kube-router", "flannel", "cilium"] as const),
  ...(["kube-router", "cilium", "bridge"] as const),
];
const SWITCHES: readonly Network[] = SOAK ? ALL_SWITCHES : ["cilium", "kube-router", "flannel"];

/** Everything on a node that a network could leave behind. */
function nodeState(node: string): string {
  return onNode(
    node,
    `
ip -o link show | awk -F'[ :@]+' '$2 !~ /^veth/ { print "link", $2 }' | sort
ip -4 route show table all | grep -v 'table local' | sed 's/^/route /' | sort
ip -4 rule show | sed 's/^/rule /'
{ ls -d /etc/cni/net.d/* /opt/cni/bin/* /etc/sysctl.d/* /etc/systemd/system/podnet* /var/lib/podnet/network /run/podnet /run/flannel /run/cilium \\
  /var/lib/kube-router /var/lib/cni/* /var/lib/cni/networks/* /sys/fs/bpf/* /sys/fs/bpf/tc/globals/* 2>/dev/null || true; } | sed 's/^/file /'
ls /var/lib/cni/results | sed 's/-[0-9a-f]\\{64\\}-.*//; s/^/result /' | sort -u
nft list tables | sed 's/^/nft /' | sort
for save in iptables-save ip6tables-save; do
  "$save" 2>/dev/null | grep -vE '^(#|COMMIT)' | sed "s/\\[[0-9:]*\\]//; s/^/$save /" | sort
done
ipset list -n | sed 's/^/set /' | sort
awk '$2 ~ /bpf|cilium/ { print "mount", $2 }' /proc/mounts
for link in $(ls /sys/class/net); do tc qdisc show dev "$link" clsact | sed 's/^/qdisc /'; done
`,
  );
}

/** What a user put there beside podnet: on the nodes and in the cluster. */
const USERS_ON_NODE = `
nft add table ip users; nft add chain ip users output '{ type filter hook output priority 10; }'; nft add rule ip users output ip daddr 203.0.113.9 drop
ip route add 203.0.113.0/28 via $(ip -4 route show default | awk '{ print $3; exit }')
iptables -A OUTPUT -d 203.0.113.77 -m comment --comment users -j REJECT
mkdir -p /etc/cni/net.d; echo '{"cniVersion":"0.3.1","name":"users","type":"loopback"}' >/etc/cni/net.d/99-users.conf.off`;
const users = (node: string): string =>
  onNode(
    node,
    `nft list table ip users; ip -4 route show 203.0.113.0/28; iptables -S OUTPUT | grep users; cat /etc/cni/net.d/99-users.conf.off`,
  );
const BARE = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "bare", namespace: "default", labels: { app: "bare" } },
  spec: {
    nodeName: "w1",
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "main",
        image: "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
        args: ["netexec"],
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
    ],
    volumes: [{ name: "data", emptyDir: {} }],
  },
};
const POLICY = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "users", namespace: "default" },
  spec: { podSelector: { matchLabels: { app: "nobody" } }, policyTypes: ["Ingress"] },
};

const apply = (object: unknown): string =>
  onNode("cp", `kubectl --kubeconfig /etc/kubernetes/admin.conf apply -f - <<'END'\n${JSON.stringify(object)}\nEND`);
const bareData = (): string =>
  `$(ls -d /var/lib/kubelet/pods/${kubectl("get", "pod", "bare", "-o", "jsonpath={.metadata.uid}")}/volumes/kubernetes.io~empty-dir/data)`;

/** Names, uids and nodes of the pods that belong to nobody but users: a change of network must not touch them. */
function userPods(): string {
  return kubectl(
    "-n",
    "default",
    "get",
    "pods",
    "-o",
    'jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.spec.nodeName}{"\\n"}{end}',
  );
}

function choose(network: Network): void {
  unset("flannelBackend");
  configure(NETWORKS[network].settings);
}

/** Traces of other networks than this one in a node's state. */
function strangers(network: Network, state: string): string[] {
  const others = (Object.keys(NETWORKS) as Network[]).filter((other) => other !== network);
  return state.split("\n").filter((line) => others.some((other) => NETWORKS[other].traces.test(line)));
}

beforeAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  createStack();
});

afterAll(() => {
  run("pulumi", ["destroy", "--yes", "--skip-preview", "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
});

describe("a network that a kernel cannot run", () => {
  test("is refused before any machine is touched, naming what is missing", () => {
    configure({ network: "kube-router", kubeRouterServiceProxy: "true" });
    const done = pulumi("up", "--yes", "--skip-preview");
    expect(done.code).not.toBe(0);
    expect(done.out).toContain(
      "the network kube-router-ipvs cannot run on these machines, which were left as they are:",
    );
    expect(done.out).toMatch(/cp, w1, w2: kernel \S+ lacks IP Virtual Server \(IPVS\) \(module ip_vs, CONFIG_IP_VS\)/);
    for (const node of NODES) {
      expect(onNode(node, "ls -d /var/lib/podnet /etc/kubernetes /usr/local/bin/kubelet 2>/dev/null || true")).toBe("");
    }
    unset("kubeRouterServiceProxy");
  });
});

describe("from network to network", () => {
  let pods = "";
  let now: Network = "bridge";
  const rows: string[] = [];

  afterAll(() => {
    if (SOAK && rows.length === ALL_SWITCHES.length) {
      const head =
        "| from | to | `pulumi up` | proofs | not applicable | traces of the old network |\n| --- | --- | --- | --- | --- | --- |";
      const text = `# Every change of network\n\nWritten by \`make soak\`, one run on one lab of three nodes, in this order.\n\n${head}\n${rows.join("\n")}\n`;
      writeFileSync(join(PROJECT, "docs", "switches.md"), text);
    }
  });

  test("begins with the bridge, and with what users have there", () => {
    choose("bridge");
    mustPulumi("up", "--yes", "--skip-preview");
    apply(BARE);
    apply(POLICY);
    kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=60s");
    onNode("w1", `echo kept >${bareData()}/file`);
    NODES.forEach((node) => onNode(node, USERS_ON_NODE));
    pods = userPods();
    expect(pods.trim().split("\n")).toHaveLength(4);
  });

  test("the check warns of a policy that nothing enforces", () => {
    const report = check(String(output("verify")));
    expect(report.warnings).toEqual([
      "NetworkPolicy default/users has no effect: nothing enforces NetworkPolicy on this network: choose kube-router or cilium (podnet:network), or take the policy away",
    ]);
  });

  test("refuses a change that would lose a pod that runs once, and touches nothing", () => {
    const once = {
      ...BARE,
      metadata: { name: "once", namespace: "default" },
      spec: { ...BARE.spec, restartPolicy: "Never" },
    };
    apply(once);
    kubectl("wait", "--for=condition=Ready", "pod/once", "--timeout=60s");
    choose("cilium");
    const done = pulumi("up", "--yes", "--skip-preview");
    expect(done.code).not.toBe(0);
    expect(done.out).toContain("these pods run once and belong to no controller");
    expect(done.out).toContain("default/once");
    for (const node of NODES) {
      expect(onNode(node, "cut -d' ' -f1 /var/lib/podnet/network-on-node").trim()).toBe("bridge");
    }
    expect(kubectl("get", "nodes", "-o", "jsonpath={.items[*].spec.unschedulable}").trim()).toBe("");
    kubectl("delete", "pod", "once", "--wait=true");
  });

  test("a preview shows the change, node by node", () => {
    choose("cilium");
    const preview = mustPulumi("preview");
    for (const name of ["network-change", "network-on-cp", "network-on-w1", "network-on-w2", "network-enable"]) {
      expect(preview).toMatch(new RegExp(`~ +command:remote:Command ${name} update`));
    }
    expect(preview).toMatch(/\+ +kubernetes:apps\/v1:DaemonSet network-cilium-agent create/);
    expect(preview).toMatch(/connectivity-run replace/);
  });

  test.each(SWITCHES.map((to, index) => [SWITCHES[index - 1] ?? "bridge", to, index] as const))(
    "%s to %s (%i): proven, nothing of a user lost, no trace of the old network",
    (from, to) => {
      expect(now).toBe(from);
      choose(to);
      const started = Date.now();
      mustPulumi("up", "--yes", "--skip-preview");
      const seconds = Math.round((Date.now() - started) / 1000);
      now = to;
      const report = check(String(output("verify")));
      expect(report.network).toBe(NETWORKS[to].id);
      expect(failures(report)).toEqual([]);
      expect(report.passed).toBe(true);
      const policies = report.claims["network-policy"];
      expect(policies).toEqual(
        to === "cilium" || to === "kube-router"
          ? { passed: 180, failed: 0, blocked: 0, "not-applicable": 0 }
          : { passed: 0, failed: 0, blocked: 0, "not-applicable": 1 },
      );
      expect(report.claims["no-nat"]).toEqual({
        passed: to === "flannel" ? 108 : 132,
        failed: 0,
        blocked: 0,
        "not-applicable": to === "flannel" ? 24 : 0,
      });
      expect(userPods()).toBe(pods);
      expect(onNode("w1", `cat ${bareData()}/file`)).toBe("kept\n");
      expect(kubectl("get", "networkpolicies", "-A", "-o", "jsonpath={.items[*].metadata.name}").trim()).toBe("users");
      expect(kubectl("get", "nodes", "-o", "jsonpath={.items[*].spec.unschedulable}").trim()).toBe("");
      expect(kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.labels.podnet\\.dev/network}")).toBe(
        NODES.map(() => NETWORKS[to].id).join(" "),
      );
      for (const node of NODES) {
        const state = nodeState(node);
        expect(strangers(to, state)).toEqual([]);
        expect(users(node)).toContain("203.0.113.9 drop");
        expect(users(node)).toContain("203.0.113.0/28 via");
        expect(users(node)).toContain("203.0.113.77/32");
        expect(users(node)).toContain('"name":"users"');
      }
      const definitions = kubectl("get", "customresourcedefinitions", "-o", "name");
      expect(/cilium\.io/.test(definitions)).toBe(to === "cilium");
      const workloads = kubectl(
        "get",
        "daemonsets,deployments",
        "-A",
        "-o",
        'jsonpath={range .items[*]}{.metadata.name}{"\\n"}{end}',
      );
      expect(
        workloads
          .trim()
          .split("\n")
          .filter((name) => /flannel|kube-router|cilium/.test(name))
          .sort(),
      ).toEqual(
        {
          bridge: [],
          flannel: ["kube-flannel-ds"],
          "kube-router": ["kube-router"],
          cilium: ["cilium", "cilium-operator"],
        }[to],
      );
      const proofs = Object.values(report.claims).reduce((sum, { passed }) => sum + passed, 0);
      const exempt = report.notApplicable.map(({ claim, count }) => `${claim} ${String(count)}`).join(", ");
      rows.push(
        `| ${from} | ${to} | ${String(seconds)} s | ${String(proofs)} of ${String(proofs)} | ${exempt} | none |`,
      );
    },
  );

  test("again changes nothing", () => {
    mustPulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
  });

  test("a change to Cilium and back is refused while a user's Cilium objects would go", () => {
    if (now !== "cilium") {
      choose("cilium");
      mustPulumi("up", "--yes", "--skip-preview");
      now = "cilium";
    }
    apply({
      apiVersion: "cilium.io/v2",
      kind: "CiliumNetworkPolicy",
      metadata: { name: "users", namespace: "default" },
      spec: { endpointSelector: { matchLabels: { app: "nobody" } }, ingress: [{}] },
    });
    choose("bridge");
    const done = pulumi("up", "--yes", "--skip-preview");
    expect(done.code).not.toBe(0);
    expect(done.out).toContain("CiliumNetworkPolicy default/users");
    expect(kubectl("get", "ciliumnetworkpolicies", "-n", "default", "-o", "name").trim()).toBe(
      "ciliumnetworkpolicy.cilium.io/users",
    );
    kubectl("delete", "ciliumnetworkpolicy", "users", "-n", "default");
  });

  test("the check names the pairs that a node lets pass although a policy denies them", () => {
    choose("cilium");
    mustPulumi("up", "--yes", "--skip-preview");
    const set = (value: string): string =>
      onNode("w1", `crictl exec "$(crictl ps -q --name cilium-agent)" cilium-dbg config PolicyEnforcement=${value}`);
    let report: Report;
    try {
      set("never");
      report = check(String(output("verify")));
    } finally {
      set("default");
    }
    const pods = NODES.flatMap((node) => [`${node}/probe-a`, `${node}/probe-b`]);
    const denied = pods.flatMap((from) =>
      pods
        .filter((to) => to !== from)
        .flatMap((to) => {
          // What only w1 would hold back: what comes in to its probe-b from a probe-a, and what that sends to a probe-a.
          const toB = to === "w1/probe-b" && (from.endsWith("probe-a") || from.startsWith("w1/"));
          const fromB = from === "w1/probe-b" && to.endsWith("probe-a");
          return toB || fromB ? ["TCP", "UDP"].map((protocol) => `network-policy ${from} -> ${to} ${protocol}`) : [];
        }),
    );
    expect(failures(report)).toEqual([...new Set(denied)].sort());
    const mended = check(String(output("verify")));
    expect(failures(mended)).toEqual([]);
  });
});

describe("a cluster that begins with Cilium in kube-proxy's place", () => {
  test("is proven, and has no kube-proxy", () => {
    mustPulumi("destroy", "--yes", "--skip-preview");
    configure({ network: "cilium", ciliumKubeProxyReplacement: "true" });
    mustPulumi("up", "--yes", "--skip-preview");
    const report = check(String(output("verify")));
    expect(report.network).toBe("cilium-native-no-kube-proxy");
    expect(failures(report)).toEqual([]);
    expect(kubectl("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-proxy", "-o", "name").trim()).toBe("");
    expect(onNode("w1", "nft list tables")).not.toContain("kube-proxy");
  });

  test("comes back from a node's reboot", () => {
    must("docker", ["restart", `${LAB}-w2`]);
    const report = check(String(output("verify")));
    expect(failures(report)).toEqual([]);
    expect(report.passed).toBe(true);
  });
});
