import { afterEach, beforeEach, expect, test } from "vitest";
import { routesOfEach } from "../../../../components/network/routes";
import { parseNodeStatus } from "../../../../components/node/status";
import { bundled, Machine } from "./machine";
import { BRIDGE, TAKE } from "./node";

const program = bundled();
let machine: Machine;

beforeEach(async () => {
  machine = await Machine.make(program);
  await machine.does("take", TAKE);
});
afterEach(() => machine.close());

/** Routes of podnet's to its peers, as `CIDR via NEXT-HOP`, in the order of their subnets. */
async function present(): Promise<string[]> {
  const text = await machine.sh("ip -4 route show proto 71 type unicast | awk '{ print $1, $2, $3 }' | sort -V");
  return text === "" ? [] : text.split("\n");
}

/** Waits until something is so, for at most 15 seconds: the time in which routes have to be back. */
async function until(what: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await what())) {
    expect(Date.now(), "it came about within 15 s").toBeLessThan(deadline);
    await new Promise((done) => setTimeout(done, 50));
  }
}

const peers = (count: number): Record<string, { podCidr: string; internalIp: string }> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, slot) => [
      `w${String(slot)}`,
      { podCidr: `10.244.${String(slot)}.0/24`, internalIp: `192.0.2.${String(10 + slot)}` },
    ]),
  );

test("the routes to ten peers are there, and no others", async () => {
  const route = routesOfEach(peers(11))["w1"] ?? [];
  expect(route).toHaveLength(10);
  await machine.does("network", { ...BRIDGE, route });
  expect(await present()).toEqual(route);
  expect(await machine.sh("ip -4 route show proto 71 type unreachable")).toBe(
    "unreachable 10.244.1.0/24 metric 4294967294",
  );
});

test("a run of peers that is counted is the same routes as one that is written out", async () => {
  const route = routesOfEach(peers(40))["w1"] ?? [];
  expect(route).toEqual(["10.244.0.0/24 via 192.0.2.10", "10.244.2.0/24 via 192.0.2.12 and 37 more"]);
  await machine.does("network", { ...BRIDGE, route });
  expect(await present()).toEqual(
    Object.values(peers(40))
      .map(({ podCidr, internalIp }) => `${podCidr} via ${internalIp}`)
      .filter((line) => !line.startsWith("10.244.1.0/24 ")),
  );
});

test("a peer that comes, goes or moves changes its own route only, and others' routes are spared", async () => {
  await machine.sh("ip route add 203.0.113.0/24 via 192.0.2.99; ip route add 10.244.7.0/24 via 192.0.2.99");
  await machine.does("network", { ...BRIDGE, route: ["10.244.0.0/24 via 192.0.2.10", "10.244.2.0/24 via 192.0.2.12"] });
  const after = ["10.244.0.0/24 via 192.0.2.20", "10.244.3.0/24 via 192.0.2.13"];
  await machine.does("network --update", { ...BRIDGE, route: after });
  expect(await present()).toEqual(after);
  await machine.does("network --undo", { ...BRIDGE, route: after });
  expect(await present()).toEqual([]);
  expect(await machine.sh("ip -4 route show via 192.0.2.99 | awk '{ print $1 }'")).toBe(
    "10.244.7.0/24\n203.0.113.0/24",
  );
});

test("a next hop that is not on the link is refused, by what this network needs; the other routes are there", async () => {
  const route = ["10.244.0.0/24 via 198.51.100.10", "10.244.2.0/24 via 192.0.2.12"];
  const { code, stderr } = await machine.run("network", { ...BRIDGE, route });
  expect(code).toBe(1);
  expect(stderr).toContain(
    "not every peer of machine can be a next hop on eth0: this network needs all nodes on one link-layer segment",
  );
  expect(await present()).toEqual(["10.244.2.0/24 via 192.0.2.12"]);
  expect(machine.has("/etc/cni/net.d/10-podnet.conflist")).toBe(false);
});

test("what leaves the cluster is masqueraded; what goes to a pod or a node is not", async () => {
  await machine.does("network", BRIDGE);
  expect((await machine.sh("nft list table ip podnet")).split("\n").map((line) => line.trim())).toEqual([
    "table ip podnet {",
    "set inside {",
    "type ipv4_addr",
    "flags interval",
    "elements = { 10.244.0.0/16, 192.0.2.10,",
    "192.0.2.11, 192.0.2.12 }",
    "}",
    "",
    "chain postrouting {",
    "type nat hook postrouting priority srcnat; policy accept;",
    "ip saddr 10.244.1.0/24 ip daddr != @inside ip daddr != 224.0.0.0/4 fib daddr type != local masquerade fully-random",
    "}",
    "}",
  ]);
});

test.each([
  ["where FORWARD drops, pods are accepted in that chain", "-P FORWARD DROP", ["-P FORWARD DROP"]],
  [
    "where a rule of FORWARD rejects all, pods are accepted before it",
    "-A FORWARD -j REJECT --reject-with icmp-host-prohibited",
    ["-P FORWARD ACCEPT", "-A FORWARD -j REJECT --reject-with icmp-host-prohibited"],
  ],
])("%s, once, and no more when podnet goes", async (_, command, [policy = "", ...theirs]) => {
  await machine.sh(`iptables ${command}`);
  await machine.does("network", BRIDGE);
  await machine.does("network --update", BRIDGE);
  const rules = [
    policy,
    "-A FORWARD -d 10.244.0.0/16 -m comment --comment podnet -j ACCEPT",
    "-A FORWARD -s 10.244.0.0/16 -m comment --comment podnet -j ACCEPT",
    ...theirs,
  ];
  expect(await machine.sh("iptables -S FORWARD")).toBe(rules.join("\n"));
  await machine.does("network --undo", BRIDGE);
  expect(await machine.sh("iptables -S FORWARD")).toBe([policy, ...theirs].join("\n"));
});

test("a link that flaps has its routes back, also while pods' links come and go without a pause", async () => {
  await machine.does("network", BRIDGE);
  const route = BRIDGE["route"] as string[];
  const churn =
    "ip link add pod0 type veth peer name pod1; ip link set pod1 up; while :; do ip link set pod0 up; sleep 0.2; ip link set pod0 down; sleep 0.2; done";
  await machine.sh("ip -4 route flush proto 71");
  const running = [
    machine.exec(["bash", "--norc", "-p", "/usr/local/lib/podnet/current/routes", "watch"]),
    machine.exec(["bash", "-c", churn]),
  ];
  const back = async (): Promise<boolean> => (await present()).length === route.length;
  await until(back);
  await machine.sh("ip link set eth0 down");
  expect(await present()).toEqual([]);
  await machine.sh("ip link set eth0 up");
  await until(back);
  expect(await present()).toEqual(route);
  await machine.close();
  await Promise.all(running);
  machine = await Machine.make();
}, 40_000);

test("what somebody takes away or changes is mended within 30 s, and told of by the status; a change of podnet's own is left alone", async () => {
  // A link that came up just now gets its IPv6 address a second or two later, and podnet applies all anew at that event.
  await machine.sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; iptables -P FORWARD DROP");
  await machine.does("network", BRIDGE);
  await machine.sh("ip -4 route flush proto 71");
  const running = machine.exec(["bash", "--norc", "-p", "/usr/local/lib/podnet/current/routes", "watch"]);
  const route = BRIDGE["route"] as string[];
  const whole = async (): Promise<string> =>
    `${(await present()).join()} ${await machine.sh(
      "ip -4 route show type unreachable proto 71; sysctl -n net.ipv4.ip_forward; iptables -S FORWARD; nft list table ip podnet || true",
    )}`;
  const mended = async () => parseNodeStatus(await machine.does("status", {})).mended.map(({ what }) => what);
  await until(async () => (await present()).length === route.length);
  const asMade = await whole();
  // One that the kernel refuses is not said to be mended.
  await machine.sh(`
echo 10.244.7.0/24 198.51.100.7 >>/var/lib/podnet/network/routes
ip route del 10.244.0.0/24 proto 71
ip route replace 10.244.2.0/24 via 192.0.2.66 dev eth0 proto 71
ip route add 10.244.9.0/24 via 192.0.2.66 dev eth0 proto 71
ip route del unreachable 10.244.1.0/24 proto 71 metric 4294967294
ip route add 10.244.8.0/24 via 192.0.2.66 dev eth0
sysctl -qw net.ipv4.ip_forward=0
nft delete table ip podnet
iptables -F FORWARD`);
  expect(await whole()).not.toBe(asMade);
  await expect.poll(whole, { timeout: 30_000, interval: 500 }).toBe(asMade);
  expect(await mended()).toEqual([
    "net.ipv4.ip_forward was 0",
    `the route ${route[0] ?? ""} was missing`,
    `the route ${route[1] ?? ""} was missing`,
    "the route 10.244.2.0/24 via 192.0.2.66 was one too many",
    "the route 10.244.9.0/24 via 192.0.2.66 was one too many",
    "the route unreachable 10.244.1.0/24 was missing",
    "nft's table ip podnet was missing or had changed",
    "the accepts for pods were missing from the chain FORWARD",
  ]);
  // A route that is not podnet's stays.
  expect(await machine.sh("ip -4 route show 10.244.8.0/24 | awk '{ print $3 }'")).toBe("192.0.2.66");
  await machine.sh("nft add rule ip podnet postrouting counter");
  await machine.does("network --update", { ...BRIDGE, route: route.slice(1) });
  const before = (await mended()).length;
  await machine.sh("sleep 25");
  expect(await present()).toEqual(route.slice(1));
  expect(await mended()).toHaveLength(before);
  await machine.close();
  await running;
  machine = await Machine.make();
}, 120_000);

test("when the internal IP goes to another link, the routes follow it, and that link is the one that is watched", async () => {
  await machine.does("network", BRIDGE);
  await machine.sh("ip -4 route flush proto 71");
  const running = machine.exec(["bash", "--norc", "-p", "/usr/local/lib/podnet/current/routes", "watch"]);
  const peers = (dev: string): string =>
    `10.244.0.0/24 via 192.0.2.10 dev ${dev}\n10.244.2.0/24 via 192.0.2.12 dev ${dev}`;
  const seen = (): Promise<string> =>
    machine.sh("ip -4 route show proto 71 type unicast | sed 's/ proto.*//; s/ *$//'");
  await expect.poll(seen, { timeout: 10_000 }).toBe(peers("eth0"));
  await machine.sh("ip link add bond0 type veth peer name bond1; ip link set bond1 up; ip link set bond0 up");
  await machine.sh("ip address del 192.0.2.11/24 dev eth0; sleep 6; ip address add 192.0.2.11/24 dev bond0");
  await expect.poll(seen, { timeout: 10_000 }).toBe(peers("bond0"));
  await machine.sh("ip link set bond0 down; sleep 6; ip link set bond0 up");
  await expect.poll(seen, { timeout: 10_000 }).toBe(peers("bond0"));
  await machine.close();
  await running;
  machine = await Machine.make();
}, 60_000);

test("the unit that keeps them starts the current program, before the kubelet", async () => {
  await machine.does("network", BRIDGE);
  const unit = machine.read("/etc/systemd/system/podnet-network.service");
  expect(unit).toMatch(/^ExecStart=\/bin\/bash --norc -p \/usr\/local\/lib\/podnet\/current\/routes watch$/m);
  expect(unit).toMatch(/^Before=kubelet\.service$/m);
  expect(unit).toMatch(/^Restart=always$/m);
  expect(machine.has("/stub/enabled/podnet-network") && machine.has("/stub/active/podnet-network")).toBe(true);
});

test("an MTU that a link cannot carry is refused, with what it can", async () => {
  const { code, stderr } = await machine.run("network", { ...BRIDGE, mtu: 1500, overhead: 50 });
  expect(code).toBe(1);
  expect(stderr).toContain(
    "podnet network on machine: mtu 1500 is more than the 1450 of link eth0: packets between nodes would be lost; declare at most 1450",
  );
  expect(await machine.does("network", { ...BRIDGE, overhead: 50 })).toEqual(['{"mtu":1450,"link":"eth0"}']);
});

test("a bridge of another CIDR is taken away when it is empty, and refused when pods are on it", async () => {
  await machine.sh("ip link add cni0 type bridge; ip address add 10.9.9.1/24 dev cni0; ip link set cni0 up");
  await machine.sh("ip link add pod0 type veth peer name pod1; ip link set pod0 master cni0");
  const { code, stderr } = await machine.run("network", BRIDGE);
  expect(code).toBe(1);
  expect(stderr).toContain(
    "podnet network on machine: cni0 has address 10.9.9.1/24, outside the node's pod CIDR 10.244.1.0/24, and pods are attached to it; drain the node and run the update again",
  );
  await machine.sh("ip link delete pod0");
  await machine.does("network", BRIDGE);
  expect(machine.has("/sys/class/net/cni0")).toBe(false);
  // One of the node's own CIDR stays.
  await machine.sh("ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0; ip link set cni0 up");
  await machine.does("network --update", BRIDGE);
  expect(machine.has("/sys/class/net/cni0")).toBe(true);
});
