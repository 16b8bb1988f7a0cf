import { addressAt, formatIpv4, parseCidr } from "../../args/ipv4";
import { own } from "../../args/own";
import type { NodeStatus } from "../../node/status";
import { Routes } from "../routes";
import type { Topology } from "../topology";
import type { Claim, Verdict } from "./claim";

/**
 * Each node is as podnet made it, by what `podnet status` tells there. It comes first in the report: where something differs, it
 * is the cause of what fails below. It asks nothing of the network.
 */
export const asMade = {
  id: "as-made",
  title: "each node has the network, files, units, settings, routes and rules that podnet made",
  waitsOn: [],
  needsNodes: "to see what podnet made there",
  requests: () => [],
  judge: ({ topology, observations }) => {
    const parts = partsOf(new Routes());
    return topology.nodes.flatMap((node) => {
      const status = own(observations.statuses, node);
      return status ? parts.flatMap((part) => judgeOne(node, part, status, topology)) : [unknown(node)];
    });
  },
} as const satisfies Claim;

/** Something of a node that podnet made. */
interface Part {
  readonly name: string;
  readonly expected: (topology: Topology) => string;
  /** Whether podnet makes it on this node. */
  readonly applies?: (status: NodeStatus) => boolean;
  /** What of a node is not as it should be; nothing where all is. */
  readonly differences: (status: NodeStatus, topology: Topology, node: string) => readonly string[];
}

/** What podnet made on a node; `known` is what was read of other nodes' routes. */
const partsOf = (known: Routes): readonly Part[] => [
  {
    name: "phases",
    expected: () => "every phase applied last with what the program declares",
    differences: ({ works }, { input }, node) =>
      Object.entries(own(input.nodes, node)?.works ?? {}).flatMap(([phase, { work, resource }]) =>
        own(works, phase)?.work === work
          ? []
          : [`${phase} was not: run pulumi up --replace '**::${resource}', which applies it anew`],
      ),
  },
  {
    name: "network",
    expected: ({ input }) => `the network ${input.network.id}`,
    differences: ({ network }, { input }) => (network?.id === input.network.id ? [] : [network?.id ?? "no network"]),
  },
  {
    name: "conflist",
    expected: ({ input }) => `${input.network.conflist} before all others in /etc/cni/net.d`,
    differences: ({ conflists: [first = "none"] }, { input }) => (first === input.network.conflist ? [] : [first]),
  },
  {
    name: "files",
    expected: () => "every file as podnet made it",
    differences: ({ files }) =>
      files.flatMap(({ path, now }) =>
        now === "missing" ? [`${path} is missing`] : now === "changed" ? [`${path} has changed`] : [],
      ),
  },
  {
    name: "units",
    expected: () => "every unit of podnet's active and enabled",
    differences: ({ units }) =>
      units.flatMap(({ name, active, enabled }) => [
        ...(active === "active" ? [] : [`${name} is ${active}`]),
        ...(enabled === "enabled" ? [] : [`${name} is ${enabled}`]),
      ]),
  },
  {
    name: "settings",
    expected: () => "every kernel setting as podnet made it",
    differences: ({ sysctls, overruled }) => [
      ...sysctls.flatMap(({ key, wanted, now }) =>
        wanted === now ? [] : [`${key} is ${now === "" ? "not there" : now}, podnet made it ${wanted}`],
      ),
      ...overruled,
    ],
  },
  {
    name: "routes",
    expected: () => "podnet's routes to the other nodes' pods",
    applies: ({ routes }) => routes.wanted.length + routes.now.length > 0,
    differences: ({ routes }) => known.differences(routes),
  },
  {
    name: "bridge",
    expected: ({ input }) =>
      `the pods' bridge up, with the gateway's address, and its ports as ${input.network.id} makes them`,
    // It comes with the node's first pod.
    applies: ({ bridge }) => bridge !== null,
    differences: ({ bridge }, { input }, node) => bridgeDifferences(bridge, own(input.nodes, node)?.podCidr ?? ""),
  },
  {
    name: "egress",
    expected: () => "podnet's rules for what leaves the cluster",
    applies: ({ egress }) => egress.wanted,
    differences: ({ egress }) =>
      egress.now === "as-made"
        ? []
        : [`nft's table ip podnet ${egress.now === "missing" ? "is missing" : "has changed"}`],
  },
  {
    name: "forwarding",
    expected: () => "the host to forward what pods send",
    applies: ({ egress }) => egress.wanted,
    differences: ({ forward }) =>
      forward.drops && !forward.accepted ? ["the chain FORWARD drops, and podnet's accepts are missing from it"] : [],
  },
];

function judgeOne(node: string, part: Part, status: NodeStatus, topology: Topology): Verdict[] {
  const { name, applies } = part;
  if (applies?.(status) === false) {
    return [];
  }
  const expected = part.expected(topology);
  const differences = part.differences(status, topology, node);
  return [
    {
      source: node,
      target: name,
      status: differences.length === 0 ? "passed" : "failed",
      expected,
      seen: differences.length === 0 ? "it is so" : differences.join("; "),
    },
  ];
}

function unknown(node: string): Verdict {
  return { source: node, target: "status", status: "failed", expected: "the node to tell its status", seen: "nothing" };
}

/** What of the pods' bridge and its ports is not as the network makes it. */
function bridgeDifferences(bridge: NodeStatus["bridge"], podCidr: string): string[] {
  if (bridge === null) {
    return [];
  }
  const { name, up, addresses, ports } = bridge;
  const cidr = parseCidr(podCidr);
  const gateway = `${formatIpv4(addressAt(cidr, 1))}/${String(cidr.prefix)}`;
  const off = (what: string, odd: (port: (typeof ports)[number]) => boolean): string[] => {
    const names = ports.filter(odd).map((port) => port.name);
    return names.length === 0 ? [] : [`${what} of ${name}: ${names.join(", ")}`];
  };
  return [
    ...(up ? [] : [`the bridge ${name} is down`]),
    ...(addresses.includes(gateway)
      ? []
      : [`the bridge ${name} has the address ${addresses.join(", ") || "none"}, and the pods' gateway is ${gateway}`]),
    ...off("ports are down", (port) => !port.up),
    ...off("hairpin is off on ports", ({ hairpin }) => !hairpin),
    ...off("pods are isolated from each other on ports", ({ isolated }) => isolated),
  ];
}
