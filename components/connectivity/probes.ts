import { CHECK_NAMESPACE } from "../service/selector";

/** Namespace of everything the check deploys. */
export const PROBE_NAMESPACE = CHECK_NAMESPACE;
/** Probes that run on every node: two pods on the pod network and one on the node's own. */
export const PROBES = ["probe-a", "probe-b", "probe-host"] as const;
/** Name of a probe. */
export type Probe = (typeof PROBES)[number];

/** Label that tells the probes apart; a DaemonSet's own selector. */
export const PROBE_LABEL = "podnet.dev/probe";
/** Label of the pods that a run makes anew; its value is the run. */
export const FRESH_LABEL = "podnet.dev/fresh";
/** Label that the check's Service selects by; the check takes it off a pod and puts it back. */
export const MEMBER_LABEL = "podnet.dev/member";
/** The Service in front of all nodes' `probe-a`. */
export const PROBE_SERVICE = "probe";
/** The Service in front of all nodes' `probe-b`, each of which answers its own node only. */
export const HAIRPIN_SERVICE = "hairpin";

/** Ports of agnhost: of a pod's first container, its second one, and on a node's own network. */
export const PORTS = {
  pod: { TCP: 8080, UDP: 8081 },
  second: { TCP: 9080, UDP: 9081 },
  host: { TCP: 28080, UDP: 28081 },
  service: { TCP: 80, UDP: 81 },
} as const;
