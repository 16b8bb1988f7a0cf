import { afterEach, beforeEach, expect, test } from "vitest";
import { parseSights, type Sight } from "../../../../components/connectivity/cause/seen";
import { bundled, Machine } from "./machine";

const program = bundled();
let machine: Machine;
let pod = "";

/** A node with a pod behind a bridge, and another node, whose pod's address it has itself, behind its link. */
const NETWORK = `
sysctl -qw net.ipv4.ip_forward=1
unshare -n sleep 300 & pod=$!
unshare -n sleep 300 & other=$!
for pid in $pod $other; do until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done; done
ip link set wire0 netns $other
nsenter -t $other -n bash -ec 'ip link set lo up; ip address add 192.0.2.12/24 dev wire0; ip link set wire0 up
    ip address add 10.244.2.2/32 dev lo; ip route add 10.244.1.0/24 via 192.0.2.11'
ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0; ip link set cni0 up
ip link add veth1 type veth peer name eth0 netns $pod
ip link set veth1 master cni0 up
nsenter -t $pod -n bash -ec 'ip link set lo up; ip address add 10.244.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.244.1.1'
ip route add 10.244.2.0/24 via 192.0.2.12
echo $pod $other >/run/pods
`;

beforeEach(async () => {
  machine = await Machine.make(program);
  await machine.exec([
    "setsid",
    "bash",
    "-ec",
    NETWORK.replaceAll("sleep 300", "sleep 300 </dev/null >/dev/null 2>&1"),
  ]);
  pod = (await machine.sh("cut -d' ' -f1 /run/pods")).trim();
});
afterEach(() => machine.close());

/** What the node sees while its pod sends to the other node's. */
async function seen(): Promise<Sight[]> {
  const asked = machine.does("way", {
    seconds: 1,
    flow: ["f0 10.244.1.2 10.244.2.2"],
    end: ["f0 probe-a 10.244.1.2 10.244.2.2"],
    pid: [`probe-a ${pod}`],
  });
  // A slow machine begins to count late, so it is sent to until it has told what it counted.
  const sent = machine.sh(
    `until [ -e /run/told ]; do nsenter -t ${pod} -n bash -c 'echo x >/dev/udp/10.244.2.2/99' || true; sleep 0.3; done; rm /run/told`,
  );
  const told = await asked.finally(() => machine.sh("touch /run/told"));
  await sent;
  return parseSights(told);
}

const counts = (sights: readonly Sight[]): Record<string, boolean> =>
  Object.fromEntries(
    sights.flatMap((one) => (one.at === "count" ? [[`${one.direction} ${one.point}`, one.packets > 0]] : [])),
  );
const texts = (at: Sight["at"], sights: readonly Sight[]): string[] =>
  sights.flatMap((one) => (one.at === at && "text" in one ? [one.text] : []));
const FORWARDED = { "there in": true, "there from": false, "there forward": true, "there to": false };

test("a sound way is counted at each of its points, both ways, with routes, neighbours, links and the pod's own", async () => {
  const sights = await seen();
  const way = (direction: string, on: boolean) => ({
    [`${direction} in`]: on,
    [`${direction} from`]: false,
    [`${direction} forward`]: on,
    [`${direction} passed`]: on,
    [`${direction} to`]: false,
    [`${direction} out`]: on,
    [`${direction} translated`]: false,
  });
  expect(counts(sights)).toEqual({ ...way("there", true), ...way("back", true) });
  expect(sights.filter(({ at }) => ["rule", "rules", "queue"].includes(at))).toEqual([]);
  expect(texts("route", sights)).toEqual([
    "10.244.2.2 from 10.244.1.2 via 192.0.2.12 dev eth0 cache iif cni0",
    "10.244.1.2 from 10.244.2.2 dev cni0 cache iif eth0",
  ]);
  expect(sights.filter(({ at }) => at === "inside" || at === "port" || at === "link")).toEqual([
    {
      at: "link",
      name: "eth0",
      up: true,
      mtu: 1500,
      lladdr: expect.stringMatching(/^[0-9a-f:]{17}$/) as string,
      addresses: ["192.0.2.11/24"],
    },
    {
      at: "link",
      name: "cni0",
      up: true,
      mtu: 1500,
      lladdr: expect.stringMatching(/^[0-9a-f:]{17}$/) as string,
      addresses: ["10.244.1.1/24"],
    },
    {
      at: "inside",
      flow: "f0",
      up: true,
      mtu: 1500,
      address: "10.244.1.2/24",
      route: "10.244.2.2 from 10.244.1.2 via 10.244.1.1 dev eth0 uid 0 cache",
      gateway: "10.244.1.1",
      neighbour: expect.stringMatching(/^(REACHABLE|STALE|DELAY)$/) as string,
    },
    { at: "port", flow: "f0", name: "veth1", up: true, bridge: "cni0", isolated: false, hairpin: false },
  ]);
  expect(await machine.sh("nft list tables; ls /tmp")).toBe("");
});

const DROP =
  "nft -f - <<<'table ip bad {\nchain f {\ntype filter hook forward priority 0;\nip daddr 10.244.2.2 udp dport 99 drop\n}\n}'";

test.each([
  ["a rule of nftables", DROP, ["ip bad f: ip daddr 10.244.2.2 udp dport 99 drop"], []],
  [
    "a policy of nftables",
    "nft -f - <<<'table ip bad {\nchain f {\ntype filter hook forward priority 0; policy drop;\n}\n}'",
    ["ip bad f: its policy, drop"],
    [],
  ],
  [
    "a rule of iptables",
    "iptables -A FORWARD -s 10.244.1.0/24 -j DROP",
    ["ip filter FORWARD: ip saddr 10.244.1.0/24 drop"],
    [],
  ],
  [
    "a rule of iptables' older kind",
    "iptables-legacy -A FORWARD -s 10.244.1.0/24 -j DROP",
    [],
    ["the rule `-A FORWARD -s 10.244.1.0/24 -j DROP` in the table filter of iptables-legacy"],
  ],
  [
    "a policy of iptables' older kind",
    "iptables-legacy -P FORWARD DROP",
    [],
    ["the policy DROP of the chain FORWARD in the table filter of iptables-legacy"],
  ],
])("%s that drops is named, and the packet is last seen before it", async (_, plant, rule, rules) => {
  await machine.sh(plant);
  const sights = await seen();
  expect(counts(sights)).toMatchObject({ ...FORWARDED, "there passed": false, "there out": false, "back in": false });
  expect(texts("rule", sights)).toEqual(rule);
  expect(texts("rules", sights)).toEqual(rules);
});

test("a rule that translates is named, and the packet is seen to leave with another address", async () => {
  await machine.sh(
    "nft -f - <<<'table ip bad {\nchain p {\ntype nat hook postrouting priority 90;\nip saddr 10.244.1.0/24 oifname \"eth0\" masquerade\n}\n}'",
  );
  const sights = await seen();
  expect(counts(sights)).toMatchObject({ "there passed": true, "there out": false, "there translated": true });
  expect(sights.filter(({ at }) => at === "rule")).toEqual([
    { at: "rule", what: "translation", text: 'ip bad p: ip saddr 10.244.1.0/24 oifname "eth0" masquerade' },
  ]);
});

test.each([
  ["a blackhole", "ip route replace blackhole 10.244.2.0/24", "RTNETLINK answers: Invalid argument"],
  ["no route", "ip route del 10.244.2.0/24", "RTNETLINK answers: Network is unreachable"],
])("%s is what the node's routes say, and the packet is not forwarded", async (_, plant, text) => {
  await machine.sh(plant);
  const sights = await seen();
  expect(counts(sights)).toMatchObject({ "there in": true, "there forward": false });
  expect(texts("route", sights)[0]).toBe(text);
});

test("a next hop that is not there is told with the state of its neighbour", async () => {
  await machine.sh("ip route replace 10.244.2.0/24 via 192.0.2.77");
  const sights = await seen();
  expect(counts(sights)).toMatchObject({ "there forward": true, "there passed": true, "back in": false });
  expect(texts("route", sights)[0]).toBe("10.244.2.2 from 10.244.1.2 via 192.0.2.77 dev eth0 cache iif cni0");
  expect(sights.filter((one) => one.at === "neighbour" && one.direction === "there")).toEqual([
    {
      at: "neighbour",
      flow: "f0",
      direction: "there",
      address: "192.0.2.77",
      state: expect.stringMatching(/^(FAILED|INCOMPLETE)$/) as string,
      lladdr: "",
    },
  ]);
});

test("a queue that loses packets and a filter of reverse paths are named by their counters", async () => {
  await machine.sh("tc qdisc add dev eth0 root tbf rate 8bit burst 10 limit 10");
  expect(texts("queue", await seen())).toEqual([expect.stringMatching(/^eth0 tbf rate 8bit burst 10b lat /) as string]);
  await machine.sh(
    "tc qdisc del dev eth0 root; sysctl -qw net.ipv4.conf.cni0.rp_filter=1; ip route add 10.244.1.2/32 dev eth0",
  );
  expect(texts("kernel", await seen())).toContain("TcpExtIPReversePathFilter");
});

test("a link that loses its carrier meanwhile is told, and one that lost it before is not", async () => {
  await machine.sh("ip link set cni0 down; ip link set cni0 up");
  const flapping = machine.sh(
    "until [ -e /run/seen ]; do ip link set veth1 down; ip link set veth1 up; sleep 0.1; done",
  );
  const sights = await seen().finally(() => machine.sh("touch /run/seen"));
  await flapping;
  const lost = sights.flatMap((one) => (one.at === "carrier" && one.times > 0 ? [one.link] : []));
  expect(lost).toContain("veth1");
  expect((await seen()).filter(({ at }) => at === "carrier")).toEqual([]);
});

test("a pod's interface that is down, and a gateway that does not answer, are told", async () => {
  await machine.sh("ip link set cni0 down");
  const [cut] = (await seen()).filter(({ at }) => at === "inside");
  expect(cut).toMatchObject({ up: true, neighbour: expect.stringMatching(/^(FAILED|INCOMPLETE)$/) as string });
  await machine.sh(`nsenter -t ${pod} -n ip link set eth0 down`);
  const [down] = (await seen()).filter(({ at }) => at === "inside");
  expect(down).toMatchObject({ up: false, address: "10.244.1.2/24" });
});

test("a table that a killed run left is removed by the next, and another run's that lives is not", async () => {
  await machine.sh("nft add table inet podnet-way-999999; nft add table inet podnet-way-1");
  await seen();
  expect(await machine.sh("nft list tables")).toBe("table inet podnet-way-1");
});

test("a node without nft says which package brings it", async () => {
  const { code, stderr } = await machine.exec(
    ["bash", "-c", "mount -t tmpfs none /usr/sbin; exec bash --norc -p .podnet/program/start way"],
    "nonce: 0123456789abcdef\nseconds: 1\nend\n",
  );
  expect([code, stderr.trim().split("\n").at(-1)]).toEqual([
    1,
    "podnet way on machine: nft is not on this node, without which no packet can be followed; on Debian and Ubuntu: apt-get install nftables",
  ]);
});

test("a node that is asked of ClusterIPs tells which of them its rules name, and to which endpoints they lead", async () => {
  const rules =
    "ip daddr 10.96.0.10 meta l4proto udp dnat ip to numgen random mod 2 map { 0 : 10.244.0.2 . 53, 1 : 10.244.0.3 . 53 }";
  await machine.sh(
    `nft -f - <<<'table ip proxy {\nchain c {\ntype nat hook output priority -100;\n${rules}\nip daddr 10.244.0.4 accept\n}\n}'`,
  );
  await machine.sh("iptables -t nat -A OUTPUT -d 10.96.0.11 -p tcp -j DNAT --to-destination 10.244.0.5:53");
  const endpoint = ["10.244.0.2", "10.244.0.3", "10.244.0.4", "10.244.0.5", "10.244.0.53"];
  const sights = parseSights(
    await machine.does("way", { seconds: 1, "cluster-ip": ["10.96.0.10", "10.96.0.1"], "service-endpoint": endpoint }),
  );
  expect(sights.filter(({ at }) => at === "service" || at === "endpoint")).toEqual([
    { at: "service", address: "10.96.0.10", served: true },
    { at: "service", address: "10.96.0.1", served: false },
    ...endpoint.map((address, index) => ({ at: "endpoint", address, served: ![2, 4].includes(index) })),
  ]);
});

test("a pod without an interface, and a node with many links, are told of as well", async () => {
  await machine.sh(`nsenter -t ${pod} -n ip link del eth0`);
  await machine.sh("for i in $(seq 200); do ip link add veth9$i type veth peer name veth8$i; done");
  expect((await seen()).filter(({ at }) => at === "inside")).toEqual([
    {
      at: "inside",
      flow: "f0",
      up: false,
      mtu: 0,
      address: "",
      route: expect.stringContaining("RTNETLINK answers: ") as string,
      gateway: "10.244.2.2",
      neighbour: "",
    },
  ]);
});

test("a queue that dropped before and drops no more is not told of, however many of a link's queues are alike", async () => {
  await machine.does("discover", {});
  await machine.sh(
    "for n in before after; do printf '50 eth0 fq_codel x\\n3 eth0 fq_codel x\\n' >/tmp/queues-$n; done",
  );
  const grown = `. /usr/local/lib/podnet/*/lib/drops.sh; cd /tmp; grown queues-before queues-after; echo '9 eth0 fq_codel x' >>queues-after; grown queues-before queues-after; : >none; grown none queues-before`;
  expect(await machine.sh(grown)).toBe("9 eth0 fq_codel x\n53 eth0 fq_codel x");
});
