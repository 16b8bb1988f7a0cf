import { z } from "zod";
import { secretText } from "../args/schemas";
import { dialTable } from "../machine/dialTable";
import { AGNHOST_IMAGE } from "../node/releases";
import { NETWORK_PROMISES } from "../network/definition";
import { checkedService } from "../service/checked";

const works = z.record(z.string(), z.strictObject({ work: z.string(), resource: z.string() }));

/** What is declared to be applied on a node, by phase: the nonce of its parameters, and the name of the resource. */
export type DeclaredWorks = z.output<typeof works>;

/** What the check reads from standard input, as JSON. Holds secrets. */
export const checkInput = z.strictObject({
  kubeconfig: secretText,
  dnsDomain: z.string(),
  /** Nodes by name. */
  nodes: z.record(
    z.string(),
    z.strictObject({
      internalIp: z.string(),
      /** Its pod CIDR; undefined where another hand than podnet's gives pods their addresses. */
      podCidr: z.string().optional(),
      /** MTU that pods of this node should have, in bytes. */
      mtu: z.number(),
      /** What is declared to be applied on it. */
      works: works.default({}),
    }),
  ),
  /** How each node is reached; none where the check goes by pods alone. */
  connections: dialTable,
  /** Whether the check goes by its probes' pods alone, with no shell on any node. */
  podsAlone: z.boolean().default(false),
  /** Image of the pods that the check makes. */
  image: z.string().default(AGNHOST_IMAGE),
  /** ClusterIP of each of the check's own Services, by name. */
  probeServices: z.record(z.string(), z.string()),
  /** Services of the program, proven with the rest. */
  services: z.array(checkedService),
  /** The network under test. */
  network: z.strictObject({
    id: z.string(),
    /** Name of its configuration in /etc/cni/net.d. */
    conflist: z.string(),
    /** Whether NetworkPolicies are put into force. */
    enforcesPolicy: z.boolean(),
    /** What it does not promise, and why. */
    notApplicable: z.array(z.strictObject({ promise: z.enum(NETWORK_PROMISES), reason: z.string() })),
  }),
  /** How much between nodes is asked; by the number of nodes where it is not given. */
  coverage: z.enum(["full", "sampled"]).optional(),
  /** What draws the sample; chance where it is not given. */
  seed: z.int().min(0).optional(),
  /** Seconds until probes that do not become ready are given up on. */
  readyTimeout: z.number(),
});

/** Input of the check, as it is written. */
export type CheckRequest = z.input<typeof checkInput>;
/** Input of the check, read. */
export type CheckInput = z.output<typeof checkInput>;
