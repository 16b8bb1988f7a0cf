import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import {
  FRESH_LABEL,
  HAIRPIN_SERVICE,
  MEMBER_LABEL,
  PORTS,
  type Probe,
  PROBE_LABEL,
  PROBE_NAMESPACE,
  PROBE_SERVICE,
} from "./probes";

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
export function probeTemplate(probe: Probe, image: pulumi.Input<string>) {
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

/** Spec of a probe's DaemonSet. */
export function daemonSetSpec(probe: Probe, image: pulumi.Input<string>) {
  return {
    selector: { matchLabels: { [PROBE_LABEL]: probe } },
    // A check that waits for one node after another is a slow check.
    updateStrategy: { rollingUpdate: { maxUnavailable: "100%" } },
    template: probeTemplate(probe, image),
  };
}

/** Labels of the check's namespace; `owner` says who made it. */
export function namespaceLabels(owner: string) {
  return {
    "app.kubernetes.io/managed-by": owner,
    // probe-host is on the node's network, which stricter levels forbid.
    "pod-security.kubernetes.io/enforce": "privileged",
  };
}

/** One of the check's own Services. */
export interface ProbeService {
  readonly name: string;
  readonly spec: kubernetes.types.input.core.v1.ServiceSpec;
}

/** Specs of the check's Services by name: one in front of all `probe-a`, and one in front of all `probe-b`, node by node. */
export function probeServices(): ProbeService[] {
  const ports = [
    { name: "tcp", protocol: "TCP", port: PORTS.service.TCP, targetPort: PORTS.pod.TCP },
    { name: "udp", protocol: "UDP", port: PORTS.service.UDP, targetPort: PORTS.pod.UDP },
  ];
  return [
    { name: PROBE_SERVICE, spec: { selector: { [MEMBER_LABEL]: "yes" }, ports } },
    {
      name: HAIRPIN_SERVICE,
      spec: { selector: { [PROBE_LABEL]: "probe-b" }, internalTrafficPolicy: "Local", ports },
    },
  ];
}

/**
 * A pod that one run makes anew on a node. It goes without grace: nothing is in it. Its name has a number, since a kubelet cuts a
 * hostname to 63 characters, and the pod answers with that.
 */
export function freshPod(node: string, run: string, index: number, image: string) {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `fresh-${run}-${String(index)}`, namespace: PROBE_NAMESPACE, labels: { [FRESH_LABEL]: run } },
    spec: {
      nodeName: node,
      restartPolicy: "Never",
      // It ends by itself where nobody takes it away.
      activeDeadlineSeconds: 120,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      tolerations: [{ operator: "Exists" }],
      containers: [
        {
          name: "main",
          image,
          args: netexec(PORTS.pod, false),
          readinessProbe: { httpGet: { path: "/healthz", port: PORTS.pod.TCP }, periodSeconds: 1 },
        },
      ],
    },
  };
}
