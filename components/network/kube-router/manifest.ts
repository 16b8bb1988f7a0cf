import { AGENT_LABEL, NETWORK_LABEL, type NetworkDefinition } from "../definition";
import { KUBE_ROUTER_CONFLIST, KUBE_ROUTER_IMAGES } from "./definition";

const CONFLIST = `/etc/cni/net.d/${KUBE_ROUTER_CONFLIST}`;
/** The Linux bridge that kube-router makes on a node. */
const KUBE_BRIDGE = "kube-bridge";

/** What kube-router's own objects are made of. */
export interface KubeRouterInput {
  readonly serviceCidr: string;
  /** MTU of the pods' links in bytes; without it kube-router takes that of the node's link. */
  readonly mtu?: number | undefined;
  /** API server as `host:port`, for an agent that has to do without a service proxy. */
  readonly apiServer?: string | undefined;
}

/** The files of kube-router's ConfigMap: its CNI configuration, to which the agent adds the node's pod CIDR. */
export function kubeRouterFiles({ mtu }: Pick<KubeRouterInput, "mtu">): Record<string, string> {
  const conflist = {
    cniVersion: "0.3.1",
    name: "mynet",
    plugins: [
      {
        name: "kubernetes",
        type: "bridge",
        bridge: KUBE_BRIDGE,
        isDefaultGateway: true,
        hairpinMode: true,
        ipam: { type: "host-local", dataDir: "/run/podnet/ipam" },
        ...(mtu !== undefined && { mtu }),
      },
      { type: "portmap", capabilities: { snat: true, portMappings: true } },
    ],
  };
  return { "cni-conf.json": `${JSON.stringify(conflist, null, 2)}\n` };
}

const READ = ["get", "list", "watch"];

/** Rules of kube-router's ClusterRole: what its manifest grants. */
export const KUBE_ROUTER_RULES = [
  { apiGroups: [""], resources: ["namespaces", "pods", "services", "nodes", "endpoints"], verbs: READ },
  { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: READ },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
  { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] },
  { apiGroups: [""], resources: ["services/status"], verbs: ["update"] },
];

/**
 * Pod template of kube-router's DaemonSet, as its project's manifest for kubeadm has it, without an overlay: podnet's nodes
 * share a link-layer segment.
 */
export function kubeRouterTemplate(
  definition: NetworkDefinition,
  input: KubeRouterInput,
  files: Readonly<Record<string, string>>,
) {
  const { agent } = KUBE_ROUTER_IMAGES;
  const [host = "", port = ""] = input.apiServer?.split(":") ?? [];
  return {
    metadata: {
      labels: { "k8s-app": "kube-router", tier: "node", [AGENT_LABEL]: definition.kind },
      annotations: { "podnet.dev/files": JSON.stringify(files) },
    },
    spec: {
      nodeSelector: { [NETWORK_LABEL]: definition.id },
      priorityClassName: "system-node-critical",
      serviceAccountName: "kube-router",
      hostNetwork: true,
      hostPID: true,
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 5,
      initContainers: [
        {
          name: "install-cni",
          image: agent,
          imagePullPolicy: "IfNotPresent",
          command: [
            "/bin/sh",
            "-ec",
            `cp /etc/kube-router/cni-conf.json /etc/cni/net.d/.kuberouter.new; mv /etc/cni/net.d/.kuberouter.new ${CONFLIST}`,
          ],
          volumeMounts: [
            { name: "cni-conf-dir", mountPath: "/etc/cni/net.d" },
            { name: "kube-router-cfg", mountPath: "/etc/kube-router" },
          ],
        },
      ],
      containers: [
        {
          name: "kube-router",
          image: agent,
          imagePullPolicy: "IfNotPresent",
          args: [
            "--run-router=true",
            "--run-firewall=true",
            `--run-service-proxy=${String(definition.replacesKubeProxy)}`,
            "--bgp-graceful-restart=true",
            "--enable-overlay=false",
            "--enable-ipv6=false",
            `--service-cluster-ip-range=${input.serviceCidr}`,
            ...(input.mtu === undefined ? [] : ["--auto-mtu=false"]),
            ...(definition.replacesKubeProxy ? ["--hairpin-mode=true"] : []),
          ],
          env: [
            { name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
            { name: "KUBE_ROUTER_CNI_CONF_FILE", value: CONFLIST },
            ...(input.apiServer === undefined
              ? []
              : [
                  { name: "KUBERNETES_SERVICE_HOST", value: host },
                  { name: "KUBERNETES_SERVICE_PORT", value: port },
                ]),
          ],
          readinessProbe: { httpGet: { path: "/healthz", port: 20244 }, periodSeconds: 2 },
          livenessProbe: { httpGet: { path: "/healthz", port: 20244 }, initialDelaySeconds: 10, periodSeconds: 3 },
          resources: { requests: { cpu: "250m", memory: "250Mi" } },
          securityContext: { privileged: true },
          volumeMounts: [
            { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
            { name: "cni-conf-dir", mountPath: "/etc/cni/net.d" },
            { name: "xtables-lock", mountPath: "/run/xtables.lock" },
          ],
        },
      ],
      volumes: [
        { name: "lib-modules", hostPath: { path: "/lib/modules" } },
        { name: "cni-conf-dir", hostPath: { path: "/etc/cni/net.d" } },
        { name: "kube-router-cfg", configMap: { name: "kube-router-cfg" } },
        { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
      ],
    },
  };
}
