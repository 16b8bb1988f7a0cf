import { expect, test } from "vitest";
import { type Cause, type Flow, Sights } from "../../../../components/connectivity/cause/cause";
import type { Direction, Point, Sight } from "../../../../components/connectivity/cause/seen";
import { walk } from "../../../../components/connectivity/cause/walk";

const NODES = {
  cp: { internalIp: "192.0.2.10", mtu: 1500 },
  w1: { internalIp: "192.0.2.11", mtu: 1500 },
  w2: { internalIp: "192.0.2.12", mtu: 1500 },
};
const FLOW: Flow = {
  id: "f0",
  source: "w1",
  target: "w2",
  from: "10.244.1.2",
  to: "10.244.2.2",
  fromProbe: "probe-a",
  toProbe: "probe-a",
  toPod: true,
};
const MAC = { w1: "02:00:00:00:00:11", w2: "02:00:00:00:00:12" };

type Node = "w1" | "w2";
type World = Record<Node, Sight[]>;

const POINTS: readonly Point[] = ["in", "from", "forward", "passed", "to", "out", "translated"];
/** The points at which a packet between pods is seen on either node. */
const FORWARDED: readonly Point[] = ["in", "forward", "passed", "out"];

function node(name: Node): Sight[] {
  const own = name === "w1" ? "10.244.1" : "10.244.2";
  const other = name === "w1" ? "10.244.2.2" : "10.244.1.2";
  const next = name === "w1" ? "192.0.2.12" : "192.0.2.11";
  const out: Direction = name === "w1" ? "there" : "back";
  const home: Direction = name === "w1" ? "back" : "there";
  return [
    ...(["there", "back"] as const).flatMap((direction) =>
      POINTS.map((point): Sight => ({
        at: "count",
        flow: "f0",
        direction,
        point,
        packets: FORWARDED.includes(point) ? 10 : 0,
      })),
    ),
    { at: "route", flow: "f0", direction: out, text: `${other} from ${own}.2 via ${next} dev eth0 cache iif cni0` },
    { at: "route", flow: "f0", direction: home, text: `${own}.2 from ${other} dev cni0 cache iif eth0` },
    {
      at: "neighbour",
      flow: "f0",
      direction: out,
      address: next,
      state: "REACHABLE",
      lladdr: name === "w1" ? MAC.w2 : MAC.w1,
    },
    {
      at: "neighbour",
      flow: "f0",
      direction: home,
      address: `${own}.2`,
      state: "REACHABLE",
      lladdr: "02:00:00:00:01:02",
    },
    {
      at: "link",
      name: "eth0",
      up: true,
      mtu: 1500,
      lladdr: MAC[name],
      addresses: [`${name === "w1" ? "192.0.2.11" : "192.0.2.12"}/24`],
    },
    { at: "link", name: "cni0", up: true, mtu: 1500, lladdr: "02:00:00:00:02:01", addresses: [`${own}.1/24`] },
    {
      at: "inside",
      flow: "f0",
      up: true,
      mtu: 1500,
      address: `${own}.2/24`,
      route: `${other} via ${own}.1 dev eth0`,
      gateway: `${own}.1`,
      neighbour: "REACHABLE",
    },
    { at: "port", flow: "f0", name: "veth1", up: true, bridge: "cni0", isolated: false, hairpin: true },
  ];
}

const sound = (): World => ({ w1: node("w1"), w2: node("w2") });

/** Takes packets away from a station on: on this node in this direction, and everywhere behind it. */
function lost(world: World, at: Node, direction: Direction, point: Point, left = 0): World {
  const order: (readonly [Node, Direction])[] = [
    ["w1", "there"],
    ["w2", "there"],
    ["w2", "back"],
    ["w1", "back"],
  ];
  const from = order.findIndex(([name, way]) => name === at && way === direction);
  const behind = (name: Node, one: Extract<Sight, { at: "count" }>): boolean => {
    const index = order.findIndex(([other, way]) => other === name && way === one.direction);
    return index > from || (index === from && FORWARDED.indexOf(one.point) >= FORWARDED.indexOf(point));
  };
  const changed = (name: Node): Sight[] =>
    world[name].map((one) =>
      one.at === "count" && behind(name, one) ? { ...one, packets: Math.min(one.packets, left) } : one,
    );
  return { w1: changed("w1"), w2: changed("w2") };
}

/** Changes what a node saw of a kind, in a direction where it has one. */
function other(world: World, name: Node, at: Sight["at"], change: object, direction?: Direction): World {
  return {
    ...world,
    [name]: world[name].map((one) =>
      one.at === at && (direction === undefined || ("direction" in one && one.direction === direction))
        ? { ...one, ...change }
        : one,
    ),
  };
}

const also = (world: World, name: Node, ...more: Sight[]): World => ({ ...world, [name]: [...world[name], ...more] });
const rule = (text: string, what: "drop" | "translation" = "drop"): Sight => ({ at: "rule", what, text });
const found = (world: World, flow = FLOW): Cause | undefined => walk(flow, new Sights("f0", world), NODES);
const text = (world: World, flow = FLOW): string => {
  const cause = found(world, flow);
  return cause
    ? `${cause.place} ${cause.hop}: ${cause.text}${cause.example === undefined ? "" : ` | ${cause.example}`}`
    : "none";
};

test("a way on which every packet is seen at every point has no cause", () => {
  expect(found(sound())).toBeUndefined();
});

test.each<[string, World, string]>([
  [
    "a pod whose interface is down",
    lost(other(sound(), "w1", "inside", { up: false }), "w1", "there", "in"),
    "w1 pod: eth0 of w1/probe-a (10.244.1.2) is down",
  ],
  [
    "a pod without an interface",
    lost(other(sound(), "w1", "inside", { up: false, mtu: 0 }), "w1", "there", "in"),
    "w1 pod: w1/probe-a (10.244.1.2) has no eth0",
  ],
  [
    "a pod with another address",
    lost(other(sound(), "w1", "inside", { address: "10.9.0.2/24" }), "w1", "there", "in"),
    "w1 pod: eth0 of w1/probe-a (10.244.1.2) has the address 10.9.0.2/24",
  ],
  [
    "a pod without a route",
    lost(other(sound(), "w1", "inside", { route: "RTNETLINK answers: Network is unreachable" }), "w1", "there", "in"),
    "w1 pod: w1/probe-a (10.244.1.2) has no route to 10.244.2.2: Network is unreachable",
  ],
  [
    "a port that is down",
    lost(other(sound(), "w1", "port", { up: false }), "w1", "there", "in"),
    "w1 bridge: veth1, the node's end of the pod's interface, is down",
  ],
  [
    "a port off the bridge",
    lost(other(sound(), "w1", "port", { bridge: "" }), "w1", "there", "in"),
    "w1 bridge: veth1, the node's end of the pod's interface, is not on the bridge cni0",
  ],
  [
    "a bridge that is down",
    lost(
      {
        ...sound(),
        w1: sound().w1.map((one) => (one.at === "link" && one.name === "cni0" ? { ...one, up: false } : one)),
      },
      "w1",
      "there",
      "in",
    ),
    "w1 bridge: the bridge cni0 is down",
  ],
  [
    "a bridge with another address",
    lost(
      {
        ...sound(),
        w1: sound().w1.map((one) =>
          one.at === "link" && one.name === "cni0" ? { ...one, addresses: ["10.9.0.1/24"] } : one,
        ),
      },
      "w1",
      "there",
      "in",
    ),
    "w1 bridge: the bridge cni0 has the address 10.9.0.1/24, and the pods' gateway is 10.244.1.1",
  ],
  [
    "a gateway that does not answer",
    lost(other(sound(), "w1", "inside", { neighbour: "FAILED" }), "w1", "there", "in"),
    "w1 bridge: the next hop 10.244.1.1 of w1/probe-a (10.244.1.2) does not answer it (neighbour FAILED)",
  ],
  [
    "no route",
    lost(
      other(sound(), "w1", "route", { text: "RTNETLINK answers: Network is unreachable" }, "there"),
      "w1",
      "there",
      "forward",
    ),
    "w1 routes: it has no route to 10.244.2.2: Network is unreachable",
  ],
  [
    "a blackhole",
    lost(
      other(sound(), "w1", "route", { text: "RTNETLINK answers: Invalid argument" }, "there"),
      "w1",
      "there",
      "forward",
    ),
    "w1 routes: it has no route to 10.244.2.2: a blackhole route",
  ],
  [
    "a filter of reverse paths on the way back",
    lost(also(sound(), "w1", { at: "kernel", packets: 4, text: "TcpExtIPReversePathFilter" }), "w1", "back", "forward"),
    "w1 routes: rp_filter drops packets there: they come in by another link than the answer would leave by",
  ],
  [
    "a rule that drops",
    lost(also(sound(), "w1", rule("ip bad f: udp dport 99 drop")), "w1", "there", "passed"),
    "w1 rules: the rule `udp dport 99 drop` in nft's chain ip bad f drops packets | from 10.244.1.2 to 10.244.2.2",
  ],
  [
    "a policy that drops, of the other node",
    lost(also(sound(), "w2", rule("ip filter FORWARD: its policy, drop")), "w2", "there", "passed"),
    "w2 rules: the policy drop of nft's chain ip filter FORWARD drops packets | from 10.244.1.2 to 10.244.2.2",
  ],
  [
    "a rule of the older iptables that drops what comes back",
    lost(
      also(sound(), "w2", {
        at: "rules",
        packets: 3,
        text: "the rule `-A FORWARD -j DROP` in the table filter of iptables-legacy",
      }),
      "w2",
      "back",
      "passed",
    ),
    "w2 rules: the rule `-A FORWARD -j DROP` in the table filter of iptables-legacy drops packets | from 10.244.2.2 to 10.244.1.2",
  ],
  [
    "a full table of connections",
    lost(also(sound(), "w1", { at: "conntrack", count: 64, max: 64 }), "w1", "there", "forward"),
    "w1 rules: its table of connections is full: 64 of nf_conntrack_max 64",
  ],
  [
    "a full table of connections that had room for these packets by chance",
    also(sound(), "w2", { at: "conntrack", count: 63, max: 64 }),
    "w2 rules: its table of connections is full: 63 of nf_conntrack_max 64",
  ],
  [
    "a route by another node",
    lost(
      other(sound(), "w1", "route", { text: "10.244.2.2 from 10.244.1.2 via 192.0.2.10 dev eth0" }, "there"),
      "w2",
      "there",
      "in",
    ),
    "w1 routes: what is for the pods of w2 goes via 192.0.2.10, which is cp | to 10.244.2.2",
  ],
  [
    "a next hop that does not answer",
    lost(other(sound(), "w1", "neighbour", { state: "INCOMPLETE", lladdr: "" }, "there"), "w2", "there", "in"),
    "w1 link: the next hop 192.0.2.12 on eth0 does not answer (neighbour INCOMPLETE)",
  ],
  [
    "a next hop with another link-layer address",
    lost(
      other(sound(), "w1", "neighbour", { lladdr: "02:00:00:00:00:99", state: "PERMANENT" }, "there"),
      "w2",
      "there",
      "in",
    ),
    "w1 link: it knows 192.0.2.12 by the link-layer address 02:00:00:00:00:99, and w2's is 02:00:00:00:00:12",
  ],
  [
    "a queue that drops",
    lost(also(sound(), "w1", { at: "queue", packets: 9, text: "eth0 tbf rate 8bit" }), "w2", "there", "in"),
    "w1 link: the queue of its link drops packets: eth0 tbf rate 8bit",
  ],
  [
    "a link that loses all",
    lost(sound(), "w2", "there", "in"),
    "w1 link: packets leave it by eth0 and do not come in at w2 | to 10.244.2.2",
  ],
  [
    "a link that loses what comes back",
    lost(sound(), "w1", "back", "in"),
    "w2 link: packets leave it by eth0 and do not come in at w1 | to 10.244.1.2",
  ],
  [
    "a pod that does not answer",
    lost(sound(), "w2", "back", "in"),
    "w2 pod: packets come to w2/probe-a (10.244.2.2), and no answer leaves it",
  ],
  [
    "an address that nobody has",
    lost(other(sound(), "w2", "neighbour", { state: "FAILED" }, "there"), "w2", "back", "in"),
    "w2 bridge: nobody answers for the pod's address 10.244.2.2 (neighbour FAILED)",
  ],
  [
    "a rule that drops some",
    lost(also(sound(), "w1", rule("ip bad f: numgen random mod 100 < 30 drop")), "w1", "there", "passed", 6),
    "w1 rules: the rule `numgen random mod 100 < 30 drop` in nft's chain ip bad f drops packets | from 10.244.1.2 to 10.244.2.2, 4 of 10 packets",
  ],
  [
    "a rule that translates",
    also(
      {
        ...sound(),
        w1: sound().w1.map((one) =>
          one.at === "count" && one.direction === "there" && (one.point === "out" || one.point === "translated")
            ? { ...one, packets: one.point === "out" ? 0 : 10 }
            : one,
        ),
      },
      "w1",
      rule("ip bad p: masquerade", "translation"),
    ),
    "w1 rules: the rule `masquerade` in nft's chain ip bad p gives packets another source address | from 10.244.1.2 to 10.244.2.2",
  ],
])("%s", (_, world, expected) => {
  expect(text(world)).toBe(expected);
});

test("a link that is too small for packets of a declared size is named, by either end, and only where sizes are proven", () => {
  const small = {
    ...sound(),
    w2: sound().w2.map((one) => (one.at === "link" && one.name === "eth0" ? { ...one, mtu: 1400 } : one)),
  };
  expect(text(small, { ...FLOW, size: 1500 })).toBe(
    "w2 link: its link eth0 has the MTU 1400, and its pods' links have 1500",
  );
  expect(text(small)).toBe("none");
  expect(text(other(sound(), "w1", "inside", { mtu: 1400 }), { ...FLOW, size: 1500 })).toBe(
    "w1 pod: eth0 of w1/probe-a (10.244.1.2) has the MTU 1400, declared is 1500",
  );
});

test("a node's own packets are followed from where it sends them to where it takes the answer", () => {
  const flow = { ...FLOW, from: "192.0.2.11", fromProbe: undefined };
  const asNode = (points: Readonly<Record<Direction, readonly Point[]>>): Sight[] =>
    node("w1").map((one) =>
      one.at === "count" ? { ...one, packets: points[one.direction].includes(one.point) ? 10 : 0 } : one,
    );
  expect(text({ ...sound(), w1: asNode({ there: ["from", "out"], back: ["in", "to"] }) }, flow)).toBe("none");
  expect(
    text(
      also(
        { ...sound(), w1: asNode({ there: ["from", "out"], back: ["in"] }) },
        "w1",
        rule("ip filter INPUT: its policy, drop"),
      ),
      flow,
    ),
  ).toBe("w1 rules: the policy drop of nft's chain ip filter INPUT drops packets | from 10.244.2.2 to 192.0.2.11");
  // It may send from an address that is not counted.
  expect(text({ ...sound(), w1: asNode({ there: [], back: [] }) }, flow)).toBe("none");
});

test("a cloud that answers for all its machines with one link-layer address of its own is not taken for the cause", () => {
  const cloud = other(sound(), "w1", "neighbour", { lladdr: "02:00:00:00:00:98" }, "there");
  expect(text(lost(cloud, "w2", "there", "in"))).toBe(
    "w1 link: packets leave it by eth0 and do not come in at w2 | to 10.244.2.2",
  );
  const swapped = other(sound(), "w1", "neighbour", { lladdr: MAC.w1 }, "there");
  expect(text(lost(swapped, "w2", "there", "in"))).toBe(
    "w1 link: it knows 192.0.2.12 by the link-layer address 02:00:00:00:00:11, and w2's is 02:00:00:00:00:12",
  );
});

test("nothing is said where a network's own programs take packets on before the kernel counts them, or packets come in fragments", () => {
  const cilium = other(sound(), "w1", "port", { bridge: "" });
  const w1 = cilium.w1.filter((one) => !(one.at === "link" && one.name === "cni0"));
  expect(text(lost({ ...cilium, w1 }, "w1", "there", "in"))).toBe("none");
  const halves = lost(sound(), "w1", "there", "forward", 5);
  expect(text(halves)).not.toBe("none");
  expect(text(halves, { ...FLOW, size: 1500 })).toBe("none");
  // A pod's link may be larger where its route is not.
  expect(text(other(sound(), "w1", "inside", { mtu: 1550 }), { ...FLOW, size: 1500 })).toBe("none");
});

test("a link at an end that loses its carrier at times is told where no station lacks all packets, and no other link is", () => {
  const flapping = (world: World, at: Node, link: string): World => also(world, at, { at: "carrier", link, times: 3 });
  const some = lost(sound(), "w1", "back", "in", 6);
  expect(text(flapping(some, "w2", "veth1"))).toBe(
    "w2 link: its link veth1 lost its carrier 3 times while packets were followed",
  );
  expect(text(flapping(some, "w1", "eth0"))).toBe(
    "w1 link: its link eth0 lost its carrier 3 times while packets were followed",
  );
  expect(text(flapping(some, "w1", "veth9"))).toBe("none");
  // Where a station lacks all, that is where packets end.
  expect(text(flapping(lost(sound(), "w1", "there", "out"), "w1", "veth1"))).toBe(
    "w1 rules: it drops packets between its rules for forwarding | from 10.244.1.2 to 10.244.2.2",
  );
});
