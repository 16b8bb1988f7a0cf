import { expect, test } from "vitest";
import { addressProblems, topologyProblems } from "../../../components/cluster/topology";

test.each([
  ["127.0.0.1", "the loopback range 127.0.0.0/8"],
  ["169.254.3.4", "the link-local range 169.254.0.0/16"],
  ["0.0.0.0", "the unspecified range 0.0.0.0/8"],
  ["224.0.0.1", "the multicast range 224.0.0.0/4"],
  ["255.255.255.255", "the broadcast range 255.255.255.255/32"],
])("a node cannot have the address %s, by which no other reaches it", (address, range) => {
  expect(addressProblems({ w1: address, w2: "192.0.2.12" }, {})).toEqual([
    {
      path: "nodes.w1.internalIp",
      message: `${address} lies in ${range}, by which no other node reaches this one; give its address in the nodes' own network`,
    },
  ]);
});

test("nor can pods or Services have such addresses", () => {
  const problems = topologyProblems({
    nodes: { cp: { slot: 0, role: "control-plane" } },
    nodePrefix: 24,
    podCidr: "127.0.0.0/16",
    serviceCidr: "169.254.0.0/16",
  });
  expect(problems).toEqual([
    {
      path: "podCidr",
      message: "127.0.0.0/16 overlaps the loopback range 127.0.0.0/8, whose addresses no pod can have; choose another",
    },
    {
      path: "serviceCidr",
      message:
        "169.254.0.0/16 overlaps the link-local range 169.254.0.0/16, whose addresses no pod can have; choose another",
    },
  ]);
});

test.each([
  ["172.16.0.0/16", "10.0.0.0/8", 24, ["serviceCidr: 10.0.0.0/8 is too large; kubeadm takes a /12 to a /28"]],
  ["172.16.0.0/16", "10.96.0.0/11", 24, ["serviceCidr: 10.96.0.0/11 is too large; kubeadm takes a /12 to a /28"]],
  ["172.16.0.0/16", "10.96.0.0/12", 24, []],
  ["172.16.0.0/16", "10.96.0.0/28", 24, []],
  ["172.16.0.0/16", "10.96.0.0/29", 24, ["serviceCidr: 10.96.0.0/29 is too small; kubeadm takes a /12 to a /28"]],
  ["172.16.0.0/28", "10.96.0.0/16", 28, []],
  ["172.16.0.0/29", "10.96.0.0/16", 30, ["podCidr: 172.16.0.0/29 is too small; kubeadm takes a /28 or larger"]],
  [
    "172.16.0.0/30",
    "10.96.0.0/16",
    24,
    [
      "podCidr: 172.16.0.0/30 is too small; kubeadm takes a /28 or larger",
      "podCidr: 172.16.0.0/30 is too small for one /24; use a larger pod CIDR or a longer nodePrefix",
    ],
  ],
])(
  "kubeadm's bounds are told before any machine is touched: pods %s, Services %s",
  (podCidr, serviceCidr, nodePrefix, said) => {
    const nodes = { cp: { slot: 0, role: "control-plane" } };
    const problems = topologyProblems({ nodes, nodePrefix, podCidr, serviceCidr });
    expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual(said);
  },
);
