/** Namespace of everything the check deploys. */
export const PROBE_NAMESPACE = "podnet-check";
/** Probes that run on every node: two pods on the pod network and one on the node's own. */
export const PROBES = ["probe-a", "probe-b", "probe-host"] as const;
/** Name of a probe. */
export type Probe = (typeof PROBES)[number];

/** Label that tells the probes apart; a DaemonSet's own selector. */
export const PROBE_LABEL = "podnet.dev/probe";
/** Label that the check's Service selects by; the check takes it off a pod and puts it back. */
export const MEMBER_LABEL = "podnet.dev/member";
/** Label that a node's hairpin Service selects its only pod by; its value is the node's name. */
export const HAIRPIN_LABEL = "podnet.dev/hairpin";

/** The Service in front of all nodes' `probe-a`. */
export const PROBE_SERVICE = "probe";
/** The Service whose only pod is a node's `probe-b`. */
export function hairpinService(nodeName: string): string {
  return `hairpin-${nodeName}`.slice(0, 63).replace(/-+$/, "");
}

/** Ports of agnhost: of a pod's first container, its second one, and on a node's own network. */
export const PORTS = {
  pod: { TCP: 8080, UDP: 8081 },
  second: { TCP: 9080, UDP: 9081 },
  host: { TCP: 28080, UDP: 28081 },
  service: { TCP: 80, UDP: 81 },
} as const;

function netexec(ports: { readonly TCP: number; readonly UDP: number }, host: boolean): string[] {
  const listen = [`--http-port=${String(ports.TCP)}`, `--udp-port=${String(ports.UDP)}`];
  // An answer over UDP from a node's wildcard socket would come from the bridge's address, not from the one asked.
  return ["netexec", ...listen, ...(host ? ["--udp-listen-addresses=$(POD_IP)"] : [])];
}

function environment(probe: string) {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    { name: "PODNET_PROBE", value: probe },
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("POD_IP", "status.podIP"),
  ];
}

/** Pod template of a probe, as a DaemonSet has it. Probes run on every node whatever its taints: that is their point. */
export function probeTemplate(probe: Probe, image: string) {
  const host = probe === "probe-host";
  const container = (name: string, ports: { readonly TCP: number; readonly UDP: number }, mark: string) => ({
    name,
    image,
    args: netexec(ports, host),
    env: environment(mark),
    readinessProbe: { httpGet: { path: "/healthz", port: ports.TCP }, periodSeconds: 1 },
  });
  return {
    metadata: { labels: { [PROBE_LABEL]: probe, ...(probe === "probe-a" && { [MEMBER_LABEL]: "yes" }) } },
    spec: {
      hostNetwork: host,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: "Exists" }],
      containers: host
        ? [container("main", PORTS.host, probe)]
        : [container("main", PORTS.pod, probe), container("second", PORTS.second, `${probe}-second`)],
    },
  };
}

/** Specs of the check's Services by name: one in front of all `probe-a`, and one per node in front of its `probe-b`. */
export function probeServices(nodeNames: readonly string[]) {
  const ports = [
    { name: "tcp", protocol: "TCP", port: PORTS.service.TCP, targetPort: PORTS.pod.TCP },
    { name: "udp", protocol: "UDP", port: PORTS.service.UDP, targetPort: PORTS.pod.UDP },
  ];
  return [
    { name: PROBE_SERVICE, spec: { selector: { [MEMBER_LABEL]: "yes" }, ports } },
    ...nodeNames.map((nodeName) => ({
      name: hairpinService(nodeName),
      spec: { selector: { [HAIRPIN_LABEL]: nodeName }, ports },
    })),
  ];
}
