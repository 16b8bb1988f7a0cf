import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LAB_LABEL, makeLabNetwork, makeLabNode } from "../../components/lab/engine";
import {
  bridgeOf,
  chooseSubnet,
  HOST_ROUTES,
  labIdentity,
  nodeAddress,
  parseHostRoutes,
} from "../../components/lab/identity";
import { must, PROJECT, ROOMY_KUBELET, run } from "./lab";

// A machine that podnet did not make and that stays when the stack goes: what is put on it has to come off again.
const STACK = "hosts";
const identity = labIdentity(join(PROJECT, "test", "hosts"));
const NETWORK = bridgeOf(identity.name);
const CONTAINER = `${identity.name}-machine`;
const stack = ["--stack", STACK];
let folder = "";
let before = "";

const onMachine = (script: string): string =>
  must("docker", ["exec", "-i", CONTAINER, "bash", "--norc", "-euo", "pipefail", "-s"], script);

/** Everything that an installation could leave on a machine. */
function machineState(): string {
  return onMachine(`
{ find /usr/local/bin /usr/local/sbin /usr/local/lib /opt /etc/cni /etc/containerd /etc/kubernetes /etc/podnet /etc/systemd/system \\
  /etc/sysctl.d /etc/modules-load.d /etc/crictl.yaml /var/lib/podnet /var/lib/kubelet /var/lib/etcd /var/lib/containerd /var/lib/cni \\
  /run/podnet /run/containerd 2>/dev/null || true; } | sort
ip -o link show | awk '{ print $2 }' | sed 's/@.*//' | sort
ip -4 route show table all | sort
nft list tables | grep -v 'ip6\\? \\(filter\\|nat\\|mangle\\)$' || true
ps -eo comm= | grep -E '^(kube|etcd|containerd|cilium|flannel)' || true
{ ipset list -n; ip -4 rule show; ls /sys/fs/bpf; ls /run/netns; awk '$2 ~ "bpf|cilium" { print $2 }' /proc/mounts; iptables-save; } 2>/dev/null | grep -vE '^(#|:|\\*|COMMIT)' | grep -vE 'DOCKER_|KUBE-FIREWALL' || true
`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-hosts-"));
  clean();
  const { settings } = JSON.parse(readFileSync(join(PROJECT, ".podnet", "written-config.json"), "utf8")) as {
    settings: Record<string, string>;
  };
  const routes = parseHostRoutes(must("ip", HOST_ROUTES));
  const subnet = chooseSubnet(identity, routes);
  const address = nodeAddress(subnet, 0);
  must("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  const at = { labName: identity.name, network: NETWORK };
  await makeLabNetwork({ ...at, subnet });
  const hostKey = await makeLabNode({
    ...at,
    nodeName: "machine",
    address,
    image: settings["nodeImage"] ?? "",
    publicKey: readFileSync(join(folder, "key.pub"), "utf8").trim(),
    mirrorDir: settings["mirrorDir"],
  });
  onMachine(`printf %s '${ROOMY_KUBELET}' >/etc/default/kubelet`);
  // A machine of somebody's has no images of ours: the lab's nodes start with them.
  onMachine("find /var/lib/containerd -mindepth 1 -delete; rm -rf /usr/local/share/podnet");
  before = machineState();
  rmSync(join(PROJECT, `Pulumi.${STACK}.yaml`), { force: true });
  must("pulumi", ["stack", "init", STACK]);
  const hosts = { cp: { slot: 3, role: "control-plane", host: address, hostKey } };
  const config = { hosts: JSON.stringify(hosts), mirror: settings["mirror"], checksums: settings["checksums"] };
  const pairs = Object.entries(config).flatMap(([key, value]) => ["--plaintext", `podnet:${key}=${String(value)}`]);
  must("pulumi", ["config", "set-all", ...stack, ...pairs]);
  must(
    "pulumi",
    ["config", "set", "--secret", "podnet:sshPrivateKey", ...stack],
    readFileSync(join(folder, "key"), "utf8"),
  );
});

function clean(): void {
  run("pulumi", ["destroy", "--yes", "--skip-preview", ...stack]);
  run("pulumi", ["stack", "rm", "--yes", "--force", ...stack]);
  const ids = must("docker", ["ps", "-aq", "--filter", `label=${LAB_LABEL}=${identity.name}`]).split("\n");
  ids.filter((id) => id !== "").forEach((id) => must("docker", ["rm", "-f", "-v", id]));
  run("docker", ["network", "rm", NETWORK]);
}

afterAll(() => {
  clean();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(["bridge", "cilium"])("a machine over SSH, with the network %s", (network) => {
  test("becomes a proven cluster of one", () => {
    must("pulumi", ["config", "set", "podnet:network", network, ...stack]);
    must("pulumi", ["up", "--yes", "--skip-preview", "--non-interactive", ...stack]);
    const outputs = JSON.parse(must("pulumi", ["stack", "output", "--json", ...stack])) as { passed: boolean };
    expect(outputs.passed).toBe(true);
    expect(
      onMachine("kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o 'jsonpath={.items[*].spec.podCIDR}'"),
    ).toBe("10.244.3.0/24");
  });

  test("is left as it was", () => {
    must("pulumi", ["destroy", "--yes", "--skip-preview", "--non-interactive", ...stack]);
    expect(machineState().split("\n")).toEqual(before.split("\n"));
  });
});
