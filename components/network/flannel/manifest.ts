import { AGENT_LABEL, NETWORK_LABEL, type NetworkDefinition, VXLAN_OVERHEAD } from "../definition";
import { type FlannelBackend, FLANNEL_CONFLIST, FLANNEL_IMAGES } from "./definition";

const CONFLIST = `/etc/cni/net.d/${FLANNEL_CONFLIST}`;

/** What flannel's own objects are made of. */
export interface FlannelInput {
  /** Pod CIDR of the whole cluster. */
  readonly podCidr: string;
  readonly backend: FlannelBackend;
  /** MTU of the pods' links in bytes; without it each node's own link decides. */
  readonly mtu?: number | undefined;
}

/**
 * The files of flannel's ConfigMap: its CNI configuration and its network's. `ipMasq` is off in the plugin whatever the
 * agent does: a bridge that masquerades hides the sender of every packet that leaves the node.
 */
export function flannelFiles({ podCidr, backend, mtu }: FlannelInput): Record<string, string> {
  const conflist = {
    name: "cbr0",
    cniVersion: "0.3.1",
    plugins: [
      {
        type: "flannel",
        ipam: { type: "host-local", dataDir: "/run/podnet/ipam" },
        delegate: {
          bridge: "cni0",
          hairpinMode: true,
          isDefaultGateway: true,
          ipMasq: false,
          ...(mtu !== undefined && { mtu }),
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
  const network = {
    Network: podCidr,
    EnableNFTables: false,
    Backend: {
      Type: backend,
      ...(backend === "vxlan" && mtu !== undefined && { MTU: mtu + VXLAN_OVERHEAD }),
    },
  };
  return {
    "cni-conf.json": `${JSON.stringify(conflist, null, 2)}\n`,
    "net-conf.json": `${JSON.stringify(network, null, 2)}\n`,
  };
}

/** Rules of flannel's ClusterRole: what its manifest grants. */
export const FLANNEL_RULES = [
  { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
  { apiGroups: [""], resources: ["nodes"], verbs: ["get", "list", "watch"] },
  { apiGroups: [""], resources: ["nodes/status"], verbs: ["patch"] },
];

/**
 * Pod template of flannel's DaemonSet, as its project's manifest has it, but for the nodes it runs on, the link it is told
 * (that of the node's internal IP) and, where podnet masquerades itself, `--ip-masq`.
 */
export function flannelTemplate(definition: NetworkDefinition, files: Readonly<Record<string, string>>) {
  const { agent, cniPlugin } = FLANNEL_IMAGES;
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return {
    metadata: {
      labels: { tier: "node", app: "flannel", "k8s-app": "flannel", [AGENT_LABEL]: definition.kind },
      // A changed file alone restarts nothing.
      annotations: { "podnet.dev/files": JSON.stringify(files) },
    },
    spec: {
      nodeSelector: { "kubernetes.io/os": "linux", [NETWORK_LABEL]: definition.id },
      hostNetwork: true,
      priorityClassName: "system-node-critical",
      tolerations: [{ operator: "Exists" }],
      serviceAccountName: "flannel",
      terminationGracePeriodSeconds: 5,
      initContainers: [
        {
          name: "install-cni-plugin",
          image: cniPlugin,
          imagePullPolicy: "IfNotPresent",
          command: ["cp", "-f", "/flannel", "/opt/cni/bin/flannel"],
          volumeMounts: [{ name: "cni-plugin", mountPath: "/opt/cni/bin" }],
        },
        {
          name: "install-cni",
          image: agent,
          imagePullPolicy: "IfNotPresent",
          command: ["/opt/bin/install-conf", "/etc/kube-flannel/cni-conf.json", CONFLIST],
          volumeMounts: [
            { name: "cni", mountPath: "/etc/cni/net.d" },
            { name: "flannel-cfg", mountPath: "/etc/kube-flannel/" },
          ],
        },
      ],
      containers: [
        {
          name: "kube-flannel",
          image: agent,
          imagePullPolicy: "IfNotPresent",
          command: [
            "/opt/bin/flanneld",
            ...(definition.ownEgress ? [] : ["--ip-masq"]),
            "--kube-subnet-mgr",
            "--iface=$(NODE_IP)",
            "--healthz-port=8081",
          ],
          readinessProbe: { httpGet: { path: "/readyz", port: 8081 }, periodSeconds: 2 },
          livenessProbe: { httpGet: { path: "/healthz", port: 8081 }, initialDelaySeconds: 10, periodSeconds: 30 },
          resources: { requests: { cpu: "100m", memory: "50Mi" } },
          securityContext: { privileged: false, capabilities: { add: ["NET_ADMIN", "NET_RAW"] } },
          env: [
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("NODE_IP", "status.hostIP"),
            { name: "EVENT_QUEUE_DEPTH", value: "5000" },
            { name: "CONT_WHEN_CACHE_NOT_READY", value: "false" },
          ],
          volumeMounts: [
            { name: "run", mountPath: "/run/flannel" },
            { name: "flannel-cfg", mountPath: "/etc/kube-flannel/" },
            { name: "xtables-lock", mountPath: "/run/xtables.lock" },
          ],
        },
      ],
      volumes: [
        { name: "run", hostPath: { path: "/run/flannel" } },
        { name: "cni-plugin", hostPath: { path: "/opt/cni/bin" } },
        { name: "cni", hostPath: { path: "/etc/cni/net.d" } },
        { name: "flannel-cfg", configMap: { name: "kube-flannel-cfg" } },
        { name: "xtables-lock", hostPath: { path: "/run/xtables.lock", type: "FileOrCreate" } },
      ],
    },
  };
}
