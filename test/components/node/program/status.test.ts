import { spawnSync } from "node:child_process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nonceIn, parametersText } from "../../../../components/node/parameters";
import { type NodeStatus, parseNodeStatus } from "../../../../components/node/status";
import { bundled, Machine } from "./machine";
import { BRIDGE, installFrom, OWNER, TAKE } from "./node";

const program = bundled();
let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
  await machine.sh("sysctl -qw net.ipv4.ip_forward=0 net.bridge.bridge-nf-call-iptables=1");
});
afterEach(() => machine.close());

const status = async (): Promise<NodeStatus> => parseNodeStatus(await machine.does("status", {}));
const route = BRIDGE["route"] as string[];
/** The ways to the first and the last pods of the two peers. */
const taken = (first: string, second: string): string[] => [
  `10.244.0.1 via ${first}`,
  `10.244.0.254 via ${first}`,
  `10.244.2.1 via ${second}`,
  `10.244.2.254 via ${second}`,
];

test("of a machine that nobody took names nothing of podnet's, and leaves nothing behind", async () => {
  expect(await status()).toEqual({
    owner: null,
    program: await machine.sh("readlink /usr/local/lib/podnet/current"),
    works: {},
    installed: {},
    files: [],
    units: [],
    sysctls: [
      { key: "net.ipv4.ip_forward", wanted: "1", now: "0", before: null },
      { key: "net.bridge.bridge-nf-call-iptables", wanted: "1", now: "1", before: null },
    ],
    overruled: [],
    network: null,
    conflists: [],
    routes: { wanted: [], now: [], taken: [] },
    bridge: null,
    egress: { wanted: false, now: "missing" },
    forward: { drops: false, accepted: false },
    mended: [],
    links: [
      { name: "wire0", mtu: 1500 },
      { name: "eth0", mtu: 1500 },
    ],
  });
  expect(machine.has("/var/lib/podnet") || machine.has("/run/podnet")).toBe(false);
});

test("of a node tells all that podnet made there, as it was made", async () => {
  const install = installFrom(machine);
  await machine.does("take", TAKE);
  await machine.does("install", install);
  await machine.does("network", BRIDGE);
  const seen = await status();
  expect(seen.owner).toEqual({ id: OWNER.owner, node: "w1", cluster: "demo" });
  const work = (phase: string, parameters: object) => ({
    work: nonceIn(parametersText(phase, { ...parameters })),
    applied: 1,
  });
  expect(seen.works).toEqual({
    take: work("take", TAKE),
    install: work("install", install),
    network: work("network", BRIDGE),
  });
  const sums = (install["sum"] as string[]).map((line) => line.split(" ") as [string, string]);
  expect(seen.installed).toEqual(Object.fromEntries(sums));
  expect(seen.files.map(({ path }) => path).sort()).toEqual([
    "/etc/cni/net.d/10-podnet.conflist",
    "/etc/containerd/config.toml",
    "/etc/crictl.yaml",
    "/etc/modules-load.d/podnet.conf",
    "/etc/sysctl.d/90-podnet.conf",
    "/etc/systemd/system/containerd.service",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/podnet-network.service",
    ...["bridge", "host-local", "loopback", "portmap"].map((name) => `/opt/cni/bin/${name}`),
    ...["containerd", "containerd-shim-runc-v2", "crictl", "ctr"].map((name) => `/usr/local/bin/${name}`),
    ...["kubeadm", "kubectl", "kubelet"].map((name) => `/usr/local/bin/${name}`),
    "/usr/local/sbin/runc",
  ]);
  expect(seen.files.filter(({ now }) => now !== "as-made")).toEqual([]);
  expect(seen.units).toEqual([
    { name: "containerd", active: "active", enabled: "enabled" },
    { name: "kubelet", active: "inactive", enabled: "enabled" },
    { name: "podnet-network", active: "active", enabled: "enabled" },
  ]);
  expect(seen.sysctls).toEqual([
    { key: "net.ipv4.ip_forward", wanted: "1", now: "1", before: "0" },
    { key: "net.bridge.bridge-nf-call-iptables", wanted: "1", now: "1", before: null },
  ]);
  expect(seen.network).toEqual({
    id: "bridge",
    kind: "bridge",
    podCidr: "10.244.0.0/16",
    parameters: [
      "egress: podnet",
      "internal-ip: 192.0.2.11",
      "kind: bridge",
      "network: bridge",
      "node-pod-cidr: 10.244.1.0/24",
      "overhead: 0",
      "pod-cidr: 10.244.0.0/16",
      "replaces-kube-proxy: no",
      ...route.map((line) => `route: ${line}`),
    ],
  });
  expect(seen.conflists).toEqual(["10-podnet.conflist"]);
  expect(seen.routes).toEqual({ wanted: route, now: route, taken: taken("192.0.2.10", "192.0.2.12") });
  expect(seen.bridge).toBeNull();
  expect(seen.egress).toEqual({ wanted: true, now: "as-made" });
});

test("the ways that packets take are told, whichever route or rule wins, and the bridge with its ports", async () => {
  await machine.does("take", TAKE);
  await machine.does("network", BRIDGE);
  await machine.sh(`
ip route add 10.244.2.128/25 via 192.0.2.66 dev eth0
ip rule add to 10.244.0.0/25 lookup 100
ip route add unreachable default table 100
ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0
ip link add veth1 type veth peer name pod1; ip link set veth1 master cni0 up; bridge link set dev veth1 hairpin on
ip link add veth2 type veth peer name pod2; ip link set veth2 master cni0; bridge link set dev veth2 isolated on`);
  const seen = await status();
  expect(seen.routes.now).toEqual(route);
  expect(seen.routes.taken).toEqual([
    "10.244.0.1 No route to host",
    "10.244.0.254 via 192.0.2.10",
    "10.244.2.1 via 192.0.2.12",
    "10.244.2.254 via 192.0.2.66",
  ]);
  expect(seen.bridge).toEqual({
    name: "cni0",
    up: false,
    addresses: ["10.244.1.1/24"],
    ports: [
      { name: "veth1", up: true, hairpin: true, isolated: false },
      { name: "veth2", up: false, hairpin: false, isolated: true },
    ],
  });
});

test("of a node that somebody changed tells each change", async () => {
  await machine.does("take", TAKE);
  await machine.does("network", BRIDGE);
  machine.write("/etc/cni/net.d/10-podnet.conflist", "{}");
  machine.write("/etc/cni/net.d/00-other.conf", "{}");
  await machine.sh(`
rm /etc/systemd/system/podnet-network.service
ip route replace 10.244.0.0/24 via 192.0.2.66 dev eth0 proto 71
nft add rule ip podnet postrouting counter
iptables -P FORWARD DROP
sysctl -qw net.ipv4.ip_forward=0
ip link set eth0 mtu 1400
rm /stub/active/podnet-network`);
  const seen = await status();
  expect(Object.fromEntries(seen.files.map(({ path, now }) => [path, now]))).toEqual({
    "/etc/cni/net.d/10-podnet.conflist": "changed",
    "/etc/systemd/system/podnet-network.service": "missing",
  });
  expect(seen.conflists).toEqual(["00-other.conf", "10-podnet.conflist"]);
  expect(seen.units).toEqual([{ name: "podnet-network", active: "inactive", enabled: "enabled" }]);
  expect(seen.sysctls[0]).toEqual({ key: "net.ipv4.ip_forward", wanted: "1", now: "0", before: "0" });
  expect(seen.routes).toEqual({
    wanted: route,
    now: ["10.244.0.0/24 via 192.0.2.66", route[1]],
    taken: taken("192.0.2.66", "192.0.2.12"),
  });
  expect(seen.egress).toEqual({ wanted: true, now: "changed" });
  expect(seen.forward).toEqual({ drops: true, accepted: false });
  expect(seen.links).toContainEqual({ name: "eth0", mtu: 1400 });
  await machine.sh("iptables -P FORWARD ACCEPT; iptables -A FORWARD -j REJECT");
  expect((await status()).forward).toEqual({ drops: true, accepted: false });
  await machine.sh("nft delete table ip podnet");
  expect((await status()).egress).toEqual({ wanted: true, now: "missing" });
});

test("names a later file that turns forwarding off for the link to the other nodes", async () => {
  await machine.does("take", TAKE);
  await machine.does("network", BRIDGE);
  machine.write("/etc/sysctl.d/99-hardening.conf", "net.ipv4.conf.eth0.forwarding = 0\n");
  expect((await status()).overruled).toEqual([
    "/etc/sysctl.d/99-hardening.conf line 1 sets net.ipv4.conf.eth0.forwarding = 0, which wins over the 1 that pods need; take it out",
  ]);
});

test("names what of the machine's own wins over podnet's, now or at the next boot", async () => {
  await machine.does("take", TAKE);
  await machine.does("install", installFrom(machine));
  expect((await status()).overruled).toEqual([]);
  machine.write("/etc/sysctl.d/99-hardening.conf", "net.ipv4.ip_forward = 0\n");
  machine.write("/run/systemd/system/kubelet.service.d/theirs.conf", "[Service]\nExecStart=/bin/true\n");
  machine.write("/stub/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 1024 0 100\n");
  expect((await status()).overruled).toEqual([
    "/etc/sysctl.d/99-hardening.conf line 1 sets net.ipv4.ip_forward = 0, which wins over the 1 that pods need; take it out",
    "/run/systemd/system/kubelet.service.d/theirs.conf changes what podnet's unit kubelet does; move it away",
    "swap is on at /dev/zram0, beside which the kubelet does not run; run systemctl restart kubelet, which turns it off",
  ]);
});

test("is JSON whatever a link or a conflist is called", async () => {
  await machine.sh(`ip link set wire0 down; ip link set wire0 name 'a"b\\c'`);
  machine.write('/etc/cni/net.d/"quoted" $(x).conflist', "{}");
  const seen = await status();
  expect(seen.links.map(({ name }) => name)).toContain('a"b\\c');
  expect(seen.conflists).toEqual(['"quoted" $(x).conflist']);
});

test("leaves files unread that are larger than was asked for, and says so", async () => {
  await machine.does("take", TAKE);
  await machine.does("network", BRIDGE);
  await machine.sh("head -c 2000 /dev/zero >/etc/cni/net.d/10-podnet.conflist");
  const files = async (most: number): Promise<[string, string][]> => {
    const seen = parseNodeStatus(await machine.does("status", { "read-up-to": most }));
    return seen.files.map(({ path, now }) => [path, now]);
  };
  const unit = "/etc/systemd/system/podnet-network.service";
  expect(await files(1999)).toEqual([
    [unit, "as-made"],
    ["/etc/cni/net.d/10-podnet.conflist", "unread"],
  ]);
  expect(await files(2000)).toEqual([
    [unit, "as-made"],
    ["/etc/cni/net.d/10-podnet.conflist", "changed"],
  ]);
});

test("the question discover tells the node's own addresses, how long it has been up and what it lacks", async () => {
  const [line = "", ...probes] = await machine.does("discover", {});
  const { addresses, up, lacks } = JSON.parse(line) as { addresses: string[]; up: number; lacks: string[] };
  const asked = ["curl", "getent", "mount", "nsenter", "ping", "timeout", "unshare"];
  expect(lacks).toEqual(asked.filter((program) => spawnSync("which", [program]).status !== 0));
  expect(addresses).toEqual(["127.0.0.1", "192.0.2.11"]);
  expect(up).toBeGreaterThanOrEqual(0);
  expect(up).toBeLessThan(60);
  expect(probes).toEqual([]);
});

test("the question discover names a curl that does not say how each request ended", async () => {
  machine.standIn("curl");
  const lacks = async (version: string): Promise<string[]> => {
    machine.answers("curl", `echo "curl ${version} (x86_64-pc-linux-gnu) libcurl/${version}"`);
    const [line = ""] = await machine.does("discover", {});
    return (JSON.parse(line) as { lacks: string[] }).lacks.filter((program) => program.startsWith("curl"));
  };
  expect(await lacks("7.74.0")).toEqual(["curl 7.75.0 or newer (it has 7.74.0)"]);
  expect(await lacks("7.75.0")).toEqual([]);
  expect(await lacks("8.5.0")).toEqual([]);
});

/** A cache of names (nscd) that notes the requests for hosts, by their kinds in glibc's nscd-client.h, and answers none. */
const NAME_CACHE = `
const HOSTS = [4, 5, 6, 7, 13, 14];
require("net").createServer((socket) => socket.once("data", (request) => {
  if (HOSTS.includes(request.readInt32LE(4))) require("fs").writeFileSync("/tmp/asked", "");
  socket.destroy();
}).on("error", () => undefined)).listen("/run/nscd/socket");`;

test("a name is asked of the pod's resolvers, not of a cache of names that the node has", async () => {
  machine.write("/tmp/cache.js", NAME_CACHE);
  await machine.sh("mkdir -p /run/nscd; ln -sfn /run /var/run; node /tmp/cache.js >/dev/null 2>&1 &");
  await machine.sh(
    "for i in $(seq 100); do [ ! -S /run/nscd/socket ] || break; sleep 0.1; done; [ -S /run/nscd/socket ]",
  );
  const pid = await machine.sh("sleep 60 >/dev/null 2>&1 & echo $!");
  machine.write("/etc/resolv.conf", "nameserver 127.0.0.1\n");
  await machine.does("probe", {
    request: ["1 probe-a resolve web.default.svc.cluster.local"],
    pid: [`probe-a ${pid}`],
  });
  expect(machine.has("/tmp/asked")).toBe(false);
});

test("sums files alike where openssl cannot, without a word about it", async () => {
  await machine.does("take", TAKE);
  await machine.does("network", BRIDGE);
  const before = await status();
  expect(before.files.map(({ now }) => now)).toEqual(["as-made", "as-made"]);
  machine.standIn("openssl");
  machine.failAt("openssl");
  const { stderr } = await machine.run("status", {});
  expect(stderr).toBe("");
  expect(await status()).toEqual(before);
});
