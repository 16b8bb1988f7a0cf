import { dirname } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ciliumDefinition } from "../../../../components/network/cilium/definition";
import { flannelDefinition } from "../../../../components/network/flannel/definition";
import { kubeRouterDefinition } from "../../../../components/network/kube-router/definition";
import { bundled, Machine } from "./machine";
import { agentNetwork, BRIDGE, DECLARED, preflightQuestion, TAKE } from "./node";

const program = bundled();
let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
  machine.standIn("crictl");
  await machine.sh("sysctl -qw net.ipv4.ip_forward=0 net.bridge.bridge-nf-call-iptables=0");
  await machine.does("take", TAKE);
});
afterEach(() => machine.close());

const NETWORKS = [
  ["bridge", BRIDGE],
  ["flannel-host-gw", { ...BRIDGE, network: "flannel-host-gw", kind: "flannel" }],
  ["flannel-vxlan", agentNetwork("flannel", "flannel-vxlan")],
  ["kube-router", agentNetwork("kube-router", "kube-router")],
  ["cilium-native", agentNetwork("cilium", "cilium-native")],
] as const;

/** What each kind's agents leave on a node. */
const TRACES: Readonly<Record<string, string>> = {
  bridge: "",
  "flannel-host-gw": `
mkdir -p /etc/cni/net.d /run/flannel; echo {} >/etc/cni/net.d/10-flannel.conflist; touch /run/flannel/subnet.env
ip link add cni0 type bridge; ip route add 10.244.5.0/24 via 192.0.2.15`,
  "flannel-vxlan": `
mkdir -p /etc/cni/net.d; echo {} >/etc/cni/net.d/10-flannel.conflist
ip link add flannel.1 type bridge
iptables -N FLANNEL-FWD; iptables -A FORWARD -j FLANNEL-FWD; iptables -t nat -N FLANNEL-POSTRTG`,
  "kube-router": `
mkdir -p /etc/cni/net.d /var/lib/kube-router; echo {} >/etc/cni/net.d/10-kuberouter.conflist
ip link add kube-bridge type bridge; ip route add 10.244.6.0/24 via 192.0.2.16 proto 17
iptables -N KUBE-ROUTER-INPUT; iptables -A INPUT -m comment --comment 'kube-router netpol' -j KUBE-ROUTER-INPUT; iptables -N KUBE-POD-FW-ABC
for chain in INPUT FORWARD; do iptables -A $chain -m comment --comment 'KUBE-ROUTER rule to explicitly ACCEPT traffic' -m mark --mark 0x20000/0x20000 -j ACCEPT; done
iptables -A FORWARD -o kube-bridge -m comment --comment 'allow inbound traffic to pods' -j ACCEPT`,
  "cilium-native": `
mkdir -p /etc/cni/net.d /opt/cni/bin /run/cilium; echo {} >/etc/cni/net.d/05-cilium.conflist; touch /opt/cni/bin/cilium-cni
echo {} >/etc/cni/net.d/99-theirs.conflist.cilium_bak
ip link add cilium_host type veth peer name cilium_net; ip link add lxc1234 type veth peer name lxcpeer
ip rule add pref 100 lookup local; ip rule delete pref 0 lookup local
ip rule add fwmark 0x200/0xf00 pref 9 lookup 2004; ip route add local default dev lo table 2004
for name in CILIUM_FORWARD OLD_CILIUM_FORWARD; do iptables -N $name; iptables -A FORWARD -j $name; done; ip route add 10.244.7.0/24 via 192.0.2.17`,
};

/** A machine as it is but for podnet's own state. */
const bare = async (): Promise<string[]> =>
  (await machine.snapshot()).filter((line) => !/\/var\/lib\/podnet|\/run\/podnet/.test(line));

describe.each(NETWORKS)("%s", (id, parameters) => {
  test("is applied twice, and taken off with every trace of its agents; others' things stay", async () => {
    await machine.sh(`
iptables -N THEIRS; iptables -A FORWARD -s 203.0.113.0/24 -j THEIRS; iptables -t nat -A POSTROUTING -s 203.0.113.0/24 -j RETURN
ip route add 203.0.113.0/24 via 192.0.2.99; mkdir -p /etc/cni/net.d /opt/cni/bin; echo {} >/etc/cni/net.d/99-theirs.conflist
iptables-save | iptables-restore`);
    const before = await bare();
    await machine.does("network", parameters);
    const applied = await machine.snapshot();
    expect(await machine.does("network --update", parameters)).toEqual(['{"mtu":1500,"link":"eth0"}']);
    expect(await machine.snapshot()).toEqual(applied);
    if (id === "cilium-native") {
      await machine.sh("rm /etc/cni/net.d/99-theirs.conflist");
    }
    await machine.sh(TRACES[id] ?? "");
    await machine.does("network --undo", parameters);
    expect(await bare()).toEqual(before);
  });
});

describe.each([
  [
    "flannel",
    flannelDefinition("vxlan"),
    "/run/flannel /var/lib/cni/flannel /var/lib/cni/networks/cbr0",
    agentNetwork("flannel", "flannel-vxlan"),
  ],
  [
    "kube-router",
    kubeRouterDefinition(true),
    "/var/lib/kube-router /var/lib/cni/networks/mynet",
    agentNetwork("kube-router", "kube-router"),
  ],
  [
    "cilium",
    ciliumDefinition("tunnel", false),
    "/run/cilium /var/lib/cni/networks/cilium /sys/fs/bpf/cilium",
    agentNetwork("cilium", "cilium-tunnel"),
  ],
] as const)("what %s owns", (kind, { owns = [], conflist }, removed, parameters) => {
  test("is named where it is there before a node gets it, and is gone after it", async () => {
    expect(owns).toEqual(expect.arrayContaining(removed.split(" ")));
    const paths = owns.map((path) => path.replace("*", "x"));
    const links = paths.flatMap((path) => /^\/sys\/class\/net\/(.*)$/.exec(path)?.[1] ?? []);
    const files = paths.filter((path) => !path.startsWith("/sys/class/net/"));
    machine.write("/etc/systemd/system/kubelet.service", "");
    await machine.does("network", BRIDGE);
    const question = preflightQuestion(program, { ...DECLARED, kind, conflist, path: [...owns] });
    const named = async (): Promise<string[]> => {
      const { stdout } = await machine.exec(["bash", "--norc", "-p", "-s"], question);
      return stdout.split("\n").flatMap((line) => / machine (\S+) is there, and the network /.exec(line)?.[1] ?? []);
    };
    await machine.sh("mount -t bpf bpf /sys/fs/bpf");
    expect(await named()).toEqual([]);
    await machine.sh(
      [
        ...links.map((link) => `ip link add ${link} type bridge`),
        ...files.map((path) => `mkdir -p ${dirname(path)}; ${/bin|conf$/.test(path) ? "touch" : "mkdir"} ${path}`),
      ].join("\n"),
    );
    expect(await named()).toEqual(paths);
    await machine.does("network", parameters);
    await machine.does("network", BRIDGE);
    expect(await named()).toEqual([]);
  });
});

describe("another MTU", () => {
  const mtus = (): Promise<string> =>
    machine.sh(`
for name in cni-1 cni-2; do ip -n $name -o link show eth0; done | sed 's/.*mtu \\([0-9]*\\).*/\\1/'
for link in veth1 veth2 cni0; do cat /sys/class/net/$link/mtu; done | tr '\\n' ' '`);

  test("is given to the pods that run, their bridge, and nobody else's namespace", async () => {
    await machine.sh(`
ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0; ip link set cni0 up
for n in 1 2; do
    ip netns add cni-$n; ip link add veth$n type veth peer name eth0 netns cni-$n; ip link set veth$n master cni0 up; ip -n cni-$n link set eth0 up
done
ip netns add theirs; ip link add veth9 type veth peer name eth0 netns theirs`);
    await machine.does("network", BRIDGE);
    expect(await mtus()).toBe("1500\n1500\n1500 1500 1500");
    await machine.does("network --update", { ...BRIDGE, mtu: 1400 });
    expect(await mtus()).toBe("1400\n1400\n1400 1400 1400");
    expect(await machine.sh("ip -n theirs -o link show eth0; cat /sys/class/net/veth9/mtu")).toMatch(
      /mtu 1500.*\n1500$/s,
    );
    await machine.does("network --update", BRIDGE);
    expect(await mtus()).toBe("1500\n1500\n1500 1500 1500");
  });

  test("is the routes' where a network gives the routes of its pods one", async () => {
    await machine.sh(`
ip netns add cni-1; ip link add lxc1 type veth peer name eth0 netns cni-1; ip link set lxc1 up; ip -n cni-1 link set eth0 up
ip -n cni-1 address add 10.244.1.5/32 dev eth0
ip -n cni-1 route add 10.244.1.1 dev eth0 scope link
ip -n cni-1 route add default via 10.244.1.1 dev eth0 mtu 1450`);
    await machine.does("network", { ...agentNetwork("cilium", "cilium-tunnel"), overhead: 50, mtu: 1400 });
    expect(await machine.sh("ip -n cni-1 route show; cat /sys/class/net/lxc1/mtu")).toBe(
      "default via 10.244.1.1 dev eth0 mtu 1400 \n10.244.1.1 dev eth0 scope link \n1450",
    );
  });
});

describe("a change of network", () => {
  const PODS = `
case $* in
    *" pods -q --state ready") printf 'hosted\\nplain\\n' ;;
    *"inspectp"*hosted) echo NODE ;;
    *"inspectp"*) echo POD ;;
    *"ps -q --pod plain") echo c1 ;;
esac
`;

  test("ends the pods first, in good order, then takes the old network off, then lets the kubelet run", async () => {
    await machine.does("network", BRIDGE);
    machine.answers("crictl", PODS);
    machine.write("/etc/systemd/system/kubelet.service", "");
    machine.calls();
    await machine.does("network", agentNetwork("flannel", "flannel-vxlan"));
    const calls = machine.calls().map((call) => call.replace(/-c \S+ /, ""));
    const order = ["systemctl stop kubelet", "crictl -t 30s stop -t 10 c1", "crictl -t 30s stopp plain"]
      .concat(["systemctl disable -q --now podnet-network", "systemctl start kubelet"])
      .map((call) => calls.indexOf(call));
    expect(order.every((at, index) => at >= 0 && at > (order[index - 1] ?? -1))).toBe(true);
    expect(calls.filter((call) => call.includes("hosted") && call.includes("stop"))).toEqual([]);
    expect(machine.has("/etc/cni/net.d/10-podnet.conflist")).toBe(false);
    expect(machine.read("/var/lib/podnet/network-on-node")).toBe("flannel-vxlan flannel 10.244.0.0/16\n");
  });

  test("lets the kubelet run again whatever happens", async () => {
    await machine.does("network", BRIDGE);
    machine.write("/etc/systemd/system/kubelet.service", "");
    await machine.sh("touch /stub/active/kubelet");
    machine.failAt("daemon-reload");
    const { code } = await machine.run("network", { ...BRIDGE, network: "flannel-host-gw", kind: "flannel" });
    expect(code).toBe(1);
    expect(machine.has("/stub/active/kubelet")).toBe(true);
  });

  test("to a kind that this version does not know is refused before anything ends", async () => {
    await machine.does("network", BRIDGE);
    const before = await machine.snapshot();
    const { code, stderr } = await machine.run("network", agentNetwork("calico", "calico"));
    expect(code).toBe(1);
    expect(stderr).toContain("podnet network on machine: this version of podnet knows no network calico");
    expect(await machine.snapshot()).toEqual(before);
  });
});

test("kernel settings that Cilium's agent made are put back", async () => {
  const keys = "net.ipv4.conf.all.rp_filter net.ipv4.fib_multipath_use_neigh";
  const cilium = agentNetwork("cilium", "cilium-native");
  await machine.sh("sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.fib_multipath_use_neigh=0");
  await machine.does("network", cilium);
  await machine.sh("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.fib_multipath_use_neigh=1");
  await machine.does("network --undo", cilium);
  expect(await machine.sh(`sysctl -n ${keys}`)).toBe("2\n0");
});

test("a bridge that has to stay for its last pods goes with the machine", async () => {
  const links = (): Promise<string> => machine.sh("ip -o link show | awk -F': ' '{ print $2 }'");
  await machine.does("network", BRIDGE);
  await machine.sh("ip link add cni0 type bridge; ip link add v1 type veth peer name v2; ip link set v1 master cni0");
  await machine.does("network --undo", BRIDGE);
  expect((await links()).split("\n")).toContain("cni0");
  await machine.sh("ip link delete v1");
  await machine.does("take --undo", TAKE);
  expect((await links()).split("\n")).not.toContain("cni0");
});
