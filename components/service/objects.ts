import type { ValidPort, ValidService } from "./args";
import { SERVICE_LABEL } from "./selector";

/** The ports of a Service as Kubernetes takes them. */
export function portsOf({ ports }: { readonly ports: readonly ValidPort[] }) {
  return ports.map(({ name, port, targetPort, protocol, nodePort }) => ({
    name,
    port,
    targetPort,
    protocol,
    ...(nodePort !== undefined && { nodePort }),
  }));
}

/** Spec of the Service. What is Kubernetes' own default is left away. */
export function serviceSpec(service: ValidService) {
  const { type, selector, sessionAffinity, publishNotReadyAddresses } = service;
  return {
    type: type === "Headless" ? "ClusterIP" : type,
    ...(type === "Headless" && { clusterIP: "None" }),
    selector,
    ports: portsOf(service),
    ...(sessionAffinity !== "None" && { sessionAffinity }),
    ...(publishNotReadyAddresses && { publishNotReadyAddresses }),
  };
}

/** Spec of the Deployment whose pods the Service selects. */
export function workloadSpec({ serviceName, selector, image = "", args = [], replicas = 1, ports }: ValidService) {
  const listens = ports.map(({ targetPort, protocol }) => ({ containerPort: targetPort, protocol }));
  const isFirst = ({ containerPort, protocol }: (typeof listens)[number], index: number): boolean =>
    listens.findIndex((other) => other.containerPort === containerPort && other.protocol === protocol) === index;
  const tcp = listens.find(({ protocol }) => protocol === "TCP");
  return {
    replicas,
    selector: { matchLabels: selector },
    template: {
      metadata: { labels: { ...selector, [SERVICE_LABEL]: serviceName } },
      spec: {
        // Pods of one service on different nodes are what makes it survive one.
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "ScheduleAnyway",
            labelSelector: { matchLabels: selector },
          },
        ],
        containers: [
          {
            name: "main",
            image,
            args,
            ports: listens.filter(isFirst),
            // By UDP alone there is no telling whether a pod is ready.
            ...(tcp && { readinessProbe: { tcpSocket: { port: tcp.containerPort }, periodSeconds: 2 } }),
          },
        ],
      },
    },
  };
}
