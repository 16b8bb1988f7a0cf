import { NETWORK_IMAGES } from "../../node/releases";
import { AGENT_LABEL, NETWORK_LABEL, type NetworkPlan, VXLAN_OVERHEAD } from "../definition";

const CONFLIST = "/etc/cni/net.d/05-cilium.conflist";
const CNI_BIN = "/opt/cni/bin";
const CGROUP = "/run/cilium/cgroupv2";
/** File on a node that says that its bpf filesystem was mounted for Cilium. */
const BPFFS_MOUNTED = "/var/lib/podnet/bpffs-mounted";

/** What Cilium's own objects are made of. */
export interface CiliumInput {
  /** Pod CIDR of the whole cluster. */
  readonly podCidr: string;
  /** `native` or `tunnel`. */
  readonly routingMode: string;
  readonly kubeProxyReplacement: boolean;
  /** MTU of the pods' links in bytes; without it each node's own link decides. */
  readonly mtu?: number | undefined;
  /** API server as `host:port`, for an agent that has to do without kube-proxy. */
  readonly apiServer?: string | undefined;
}

/**
 * The entries of Cilium's ConfigMap (https://docs.cilium.io/en/v1.18/network/kubernetes/configuration/): addresses out of the
 * nodes' own pod CIDRs, no layer 7 proxy, no Hubble. Values that it leaves out are the agent's defaults.
 */
export function ciliumConfig(input: CiliumInput): Record<string, string> {
  const tunnel = input.routingMode === "tunnel";
  return {
    "identity-allocation-mode": "crd",
    debug: "false",
    "enable-policy": "default",
    "enable-ipv4": "true",
    "enable-ipv6": "false",
    ipam: "kubernetes",
    "k8s-require-ipv4-pod-cidr": "true",
    "cluster-name": "default",
    "cluster-id": "0",
    "routing-mode": input.routingMode,
    ...(tunnel
      ? { "tunnel-protocol": "vxlan" }
      : { "auto-direct-node-routes": "true", "ipv4-native-routing-cidr": input.podCidr }),
    "kube-proxy-replacement": String(input.kubeProxyReplacement),
    "enable-ipv4-masquerade": "true",
    "enable-bpf-masquerade": "false",
    "enable-xt-socket-fallback": "true",
    "enable-l7-proxy": "false",
    "enable-hubble": "false",
    "enable-envoy-config": "false",
    "external-envoy-proxy": "false",
    "disable-envoy-version-check": "true",
    "enable-tcx": "true",
    "datapath-mode": "veth",
    "preallocate-bpf-maps": "false",
    "bpf-map-dynamic-size-ratio": "0.0025",
    "bpf-lb-map-max": "65536",
    "bpf-policy-map-max": "16384",
    "monitor-aggregation": "medium",
    "enable-health-checking": "true",
    "enable-endpoint-health-checking": "true",
    "enable-health-check-nodeport": "true",
    "enable-k8s-networkpolicy": "true",
    "synchronize-k8s-nodes": "true",
    "agent-health-port": "9879",
    "cluster-health-port": "4240",
    "operator-api-serve-addr": "127.0.0.1:9234",
    "custom-cni-conf": "false",
    "cni-exclusive": "true",
    "cni-uninstall": "true",
    "cni-log-file": "/var/run/cilium/cilium-cni.log",
    "write-cni-conf-when-ready": "/host/etc/cni/net.d/05-cilium.conflist",
    procfs: "/host/proc",
    "bpf-root": "/sys/fs/bpf",
    "cgroup-root": CGROUP,
    // A change of network makes pods anew itself, and none loses its name.
    "unmanaged-pod-watcher-interval": "0",
    "set-cilium-is-up-condition": "true",
    "remove-cilium-node-taints": "true",
    "tofqdns-proxy-port": "0",
    "dnsproxy-enable-transparent-mode": "false",
    "mesh-auth-enabled": "false",
    "identity-gc-interval": "15m0s",
    "cilium-endpoint-gc-interval": "5m0s",
    "nodes-gc-interval": "5m0s",
    ...(input.mtu !== undefined && { mtu: String(input.mtu + (tunnel ? VXLAN_OVERHEAD : 0)) }),
  };
}

const READ = ["get", "list", "watch"];
const rule = (apiGroup: string, resources: string[], verbs: string[], resourceNames?: string[]) => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
  ...(resourceNames && { resourceNames }),
});

/** Kinds of objects that belong to Cilium itself and not to its users. */
const OWN_KINDS = ["ciliumendpoints", "ciliumendpointslices", "ciliumidentities", "ciliumnodes"];
/** Every kind of object that Cilium defines, by its plural. */
const KINDS = [
  ...OWN_KINDS,
  ...["ciliumbgpadvertisements", "ciliumbgpclusterconfigs", "ciliumbgpnodeconfigoverrides", "ciliumbgpnodeconfigs"],
  ...["ciliumbgppeerconfigs", "ciliumbgppeeringpolicies", "ciliumcidrgroups", "ciliumclusterwideenvoyconfigs"],
  ...["ciliumclusterwidenetworkpolicies", "ciliumegressgatewaypolicies", "ciliumenvoyconfigs"],
  ...["ciliumgatewayclassconfigs", "ciliuml2announcementpolicies", "ciliumloadbalancerippools"],
  ...["ciliumlocalredirectpolicies", "ciliumnetworkpolicies", "ciliumnodeconfigs", "ciliumpodippools"],
];

/** Rules of the agent's ClusterRole: what Cilium's chart grants it. */
export const CILIUM_RULES = [
  rule("networking.k8s.io", ["networkpolicies"], READ),
  rule("discovery.k8s.io", ["endpointslices"], READ),
  rule("", ["namespaces", "services", "pods", "endpoints", "nodes"], READ),
  rule("apiextensions.k8s.io", ["customresourcedefinitions"], READ),
  rule("cilium.io", KINDS, ["list", "watch"]),
  rule("cilium.io", ["ciliumidentities", "ciliumendpoints", "ciliumnodes"], ["create"]),
  rule("cilium.io", ["ciliumidentities"], ["update"]),
  rule("cilium.io", ["ciliumendpoints"], ["delete", "get"]),
  rule("cilium.io", ["ciliumnodes", "ciliumnodes/status"], ["get", "update"]),
  rule(
    "cilium.io",
    ["ciliumendpoints/status", "ciliumendpoints", "ciliuml2announcementpolicies/status", "ciliumbgpnodeconfigs/status"],
    ["patch"],
  ),
];

/** Rules of the agent's Role in its own namespace: it reads its ConfigMap. */
export const CILIUM_CONFIG_RULES = [rule("", ["configmaps"], READ)];

/** Rules of the operator's ClusterRole: what Cilium's chart grants it. */
export const CILIUM_OPERATOR_RULES = [
  rule("", ["pods"], [...READ, "delete"]),
  rule("", ["configmaps"], ["patch"], ["cilium-config"]),
  rule("", ["nodes"], ["list", "watch", "patch"]),
  rule("", ["nodes/status"], ["patch"]),
  rule("discovery.k8s.io", ["endpointslices"], READ),
  rule("", ["services/status"], ["update", "patch"]),
  rule("", ["namespaces", "services", "endpoints", "secrets"], READ),
  rule(
    "cilium.io",
    ["ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies"],
    [...READ, "create", "update", "deletecollection", "patch"],
  ),
  rule("cilium.io", ["ciliumnetworkpolicies/status", "ciliumclusterwidenetworkpolicies/status"], ["patch", "update"]),
  rule("cilium.io", ["ciliumendpoints", "ciliumidentities"], ["delete", "list", "watch"]),
  rule("cilium.io", ["ciliumidentities"], ["update"]),
  rule("cilium.io", ["ciliumnodes"], [...READ, "create", "update", "delete"]),
  rule("cilium.io", ["ciliumnodes/status"], ["update"]),
  rule(
    "cilium.io",
    [
      "ciliumendpointslices",
      "ciliumenvoyconfigs",
      "ciliumbgppeerconfigs",
      "ciliumbgpadvertisements",
      "ciliumbgpnodeconfigs",
    ],
    [...READ, "create", "update", "delete", "patch"],
  ),
  rule("cilium.io", ["ciliumbgpclusterconfigs/status", "ciliumbgppeerconfigs/status"], ["update"]),
  rule("apiextensions.k8s.io", ["customresourcedefinitions"], [...READ, "create"]),
  rule(
    "apiextensions.k8s.io",
    ["customresourcedefinitions"],
    ["update"],
    KINDS.map((kind) => `${kind}.cilium.io`),
  ),
  rule(
    "cilium.io",
    [
      ...["ciliumloadbalancerippools", "ciliumpodippools", "ciliumbgppeeringpolicies", "ciliumbgpclusterconfigs"],
      ...["ciliumbgpnodeconfigoverrides", "ciliumbgppeerconfigs"],
    ],
    READ,
  ),
  rule("cilium.io", ["ciliumpodippools"], ["create"]),
  rule("cilium.io", ["ciliumloadbalancerippools/status"], ["patch"]),
  rule("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
];

const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

function environment(apiServer: string | undefined) {
  const [host = "", port = ""] = apiServer?.split(":") ?? [];
  return [
    field("K8S_NODE_NAME", "spec.nodeName"),
    field("CILIUM_K8S_NAMESPACE", "metadata.namespace"),
    ...(apiServer === undefined
      ? []
      : [
          { name: "KUBERNETES_SERVICE_HOST", value: host },
          { name: "KUBERNETES_SERVICE_PORT", value: port },
        ]),
  ];
}

const healthy = (period: number, failures: number) => ({
  httpGet: {
    host: "127.0.0.1",
    path: "/healthz",
    port: 9879,
    scheme: "HTTP",
    httpHeaders: [{ name: "brief", value: "true" }],
  },
  periodSeconds: period,
  failureThreshold: failures,
  timeoutSeconds: 5,
});

/** Pod template of Cilium's agent, with the steps of its chart's DaemonSet. */
export function ciliumAgentTemplate(plan: NetworkPlan, input: CiliumInput) {
  const image = NETWORK_IMAGES.cilium.agent;
  const env = environment(input.apiServer);
  const init = (name: string, command: string[], more: object) => ({
    name,
    image,
    imagePullPolicy: "IfNotPresent",
    command,
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...more,
  });
  const privileged = { privileged: true };
  const host = (name: string, path: string, type?: string) => ({
    name,
    hostPath: { path, ...(type !== undefined && { type }) },
  });
  return {
    metadata: {
      labels: {
        "k8s-app": "cilium",
        "app.kubernetes.io/name": "cilium-agent",
        "app.kubernetes.io/part-of": "cilium",
        [AGENT_LABEL]: plan.kind,
      },
      annotations: {
        "kubectl.kubernetes.io/default-container": "cilium-agent",
        "podnet.dev/files": JSON.stringify(ciliumConfig(input)),
      },
    },
    spec: {
      nodeSelector: { "kubernetes.io/os": "linux", [NETWORK_LABEL]: plan.id },
      hostNetwork: true,
      priorityClassName: "system-node-critical",
      serviceAccountName: "cilium",
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 1,
      initContainers: [
        init("config", ["cilium-dbg", "build-config"], { env, volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] }),
        init(
          "mount-cgroup",
          [
            "sh",
            "-ec",
            `cp /usr/bin/cilium-mount /hostbin/cilium-mount; nsenter --cgroup=/hostproc/1/ns/cgroup --mount=/hostproc/1/ns/mnt ${CNI_BIN}/cilium-mount ${CGROUP}; rm /hostbin/cilium-mount`,
          ],
          {
            securityContext: privileged,
            volumeMounts: [
              { name: "hostproc", mountPath: "/hostproc" },
              { name: "cni-path", mountPath: "/hostbin" },
            ],
          },
        ),
        init(
          "apply-sysctl-overwrites",
          [
            "sh",
            "-ec",
            `cp /usr/bin/cilium-sysctlfix /hostbin/cilium-sysctlfix; nsenter --mount=/hostproc/1/ns/mnt ${CNI_BIN}/cilium-sysctlfix; rm /hostbin/cilium-sysctlfix`,
          ],
          {
            securityContext: privileged,
            volumeMounts: [
              { name: "hostproc", mountPath: "/hostproc" },
              { name: "cni-path", mountPath: "/hostbin" },
            ],
          },
        ),
        init("clean-cilium-state", ["/init-container.sh"], {
          securityContext: privileged,
          volumeMounts: [
            { name: "bpf-maps", mountPath: "/sys/fs/bpf" },
            { name: "cilium-cgroup", mountPath: CGROUP, mountPropagation: "HostToContainer" },
            { name: "cilium-run", mountPath: "/var/run/cilium" },
          ],
        }),
        init("install-cni-binaries", ["/install-plugin.sh"], {
          volumeMounts: [{ name: "cni-path", mountPath: "/host/opt/cni/bin" }],
        }),
      ],
      containers: [
        {
          name: "cilium-agent",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["cilium-agent"],
          args: ["--config-dir=/tmp/cilium/config-map"],
          startupProbe: healthy(1, 150),
          livenessProbe: healthy(30, 10),
          readinessProbe: healthy(5, 3),
          env: [...env, { name: "CILIUM_CLUSTERMESH_CONFIG", value: "/var/lib/cilium/clustermesh/" }],
          lifecycle: { preStop: { exec: { command: ["/cni-uninstall.sh"] } } },
          securityContext: privileged,
          terminationMessagePolicy: "FallbackToLogsOnError",
          volumeMounts: [
            { name: "hostproc", mountPath: "/host/proc" },
            { name: "bpf-maps", mountPath: "/sys/fs/bpf", mountPropagation: "Bidirectional" },
            { name: "cilium-cgroup", mountPath: CGROUP },
            { name: "cilium-run", mountPath: "/var/run/cilium" },
            { name: "cilium-netns", mountPath: "/var/run/cilium/netns", mountPropagation: "HostToContainer" },
            { name: "etc-cni-netd", mountPath: "/host/etc/cni/net.d" },
            { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
            { name: "xtables-lock", mountPath: "/run/xtables.lock" },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
      ],
      volumes: [
        { name: "tmp", emptyDir: {} },
        host("hostproc", "/proc", "Directory"),
        host("cilium-run", "/var/run/cilium", "DirectoryOrCreate"),
        host("cilium-netns", "/var/run/netns", "DirectoryOrCreate"),
        host("bpf-maps", "/sys/fs/bpf", "DirectoryOrCreate"),
        host("cilium-cgroup", CGROUP, "DirectoryOrCreate"),
        host("cni-path", CNI_BIN, "DirectoryOrCreate"),
        host("etc-cni-netd", "/etc/cni/net.d", "DirectoryOrCreate"),
        host("lib-modules", "/lib/modules"),
        host("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
      ],
    },
  };
}

/** Labels that select the pods of Cilium's operator. */
export const CILIUM_OPERATOR_LABELS = { "io.cilium/app": "operator", name: "cilium-operator" };

/** Pod template of Cilium's operator, as its chart's Deployment has it. */
export function ciliumOperatorTemplate(plan: NetworkPlan, input: CiliumInput) {
  const probe = { httpGet: { host: "127.0.0.1", path: "/healthz", port: 9234, scheme: "HTTP" }, timeoutSeconds: 3 };
  return {
    metadata: {
      labels: { ...CILIUM_OPERATOR_LABELS, "app.kubernetes.io/part-of": "cilium", [AGENT_LABEL]: plan.kind },
      annotations: { "podnet.dev/files": JSON.stringify(ciliumConfig(input)) },
    },
    spec: {
      nodeSelector: { "kubernetes.io/os": "linux", [NETWORK_LABEL]: plan.id },
      hostNetwork: true,
      priorityClassName: "system-cluster-critical",
      serviceAccountName: "cilium-operator",
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: "cilium-operator",
          image: NETWORK_IMAGES.cilium.operator,
          imagePullPolicy: "IfNotPresent",
          command: ["cilium-operator-generic"],
          args: ["--config-dir=/tmp/cilium/config-map", "--debug=$(CILIUM_DEBUG)"],
          env: [...environment(input.apiServer), { name: "CILIUM_DEBUG", value: "false" }],
          livenessProbe: { ...probe, initialDelaySeconds: 60, periodSeconds: 10 },
          readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 5 },
          terminationMessagePolicy: "FallbackToLogsOnError",
          volumeMounts: [{ name: "cilium-config-path", mountPath: "/tmp/cilium/config-map", readOnly: true }],
        },
      ],
      volumes: [{ name: "cilium-config-path", configMap: { name: "cilium-config" } }],
    },
  };
}

/**
 * Makes a node ready for Cilium's agent: the bpf filesystem, which systemd mounts on machines but not in containers, and
 * notes whether it was there before.
 */
export function installCilium(): string {
  return `if ! grep -q ' /sys/fs/bpf bpf ' /proc/mounts; then
  mount -t bpf bpf /sys/fs/bpf
  touch ${BPFFS_MOUNTED}
fi
sysctl -qw net.ipv4.ip_forward=1
`;
}

/**
 * Takes Cilium off a node, its agent gone: BPF programs and maps, links, routes, rules, CNI files and state. Calls
 * `remove_chains`, `remove_pod_routes` and `remove_sets`.
 */
export const REMOVE_CILIUM = `rm -f ${CONFLIST} ${CNI_BIN}/cilium-cni ${CNI_BIN}/cilium-mount ${CNI_BIN}/cilium-sysctlfix
rm -f /etc/sysctl.d/99-zzz-override_cilium.conf
# A program stays attached as long as its link is pinned, a map as long as it is.
rm -rf /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium_* 2>/dev/null || true
rmdir /sys/fs/bpf/tc/globals /sys/fs/bpf/tc 2>/dev/null || true
for link in $(ip -o link | awk -F'[ :@]+' '$2 ~ /^(lxc|cilium_)/ { print $2 }'); do ip link delete "$link" 2>/dev/null || true; done
for link in $(ls /sys/class/net); do
  if tc filter show dev "$link" ingress 2>/dev/null | grep -q cil_; then tc qdisc delete dev "$link" clsact 2>/dev/null || true; fi
done
if ip rule show | grep -q '^100:.*lookup local'; then
  ip rule show | grep -q '^0:' || ip rule add pref 0 lookup local
  ip rule delete pref 100 lookup local
fi
for table in 2004 2005; do
  while ip rule delete table "$table" 2>/dev/null; do :; done
  ip route flush table "$table" 2>/dev/null || true
done
remove_pod_routes
remove_chains 'CILIUM_'
# The raw table is there for Cilium alone, unless somebody else has rules in it.
for family in ip ip6; do
  if ! nft list table "$family" raw 2>/dev/null | grep -qE 'counter|(accept|drop|notrack)$|jump' ; then nft delete table "$family" raw 2>/dev/null || true; fi
done
remove_sets '^cilium_'
if grep -q ' ${CGROUP} ' /proc/mounts; then umount -l ${CGROUP}; fi
for mount in $(awk '$2 ~ "^/(var/)?run/cilium/" { print $2 }' /proc/mounts | sort -r); do umount -l "$mount" 2>/dev/null || true; done
rm -rf /run/cilium /var/lib/cni/networks/cilium
rm -f /var/lib/cni/results/cilium-*
if [ -e ${BPFFS_MOUNTED} ]; then
  umount -l /sys/fs/bpf 2>/dev/null || true
  rm -f ${BPFFS_MOUNTED}
fi
for file in /etc/cni/net.d/*.cilium_bak; do [ ! -e "$file" ] || mv -f "$file" "\${file%.cilium_bak}"; done
`;

/**
 * Takes Cilium's definitions out of the API server; runs on the control plane, its operator gone. Its users' own objects
 * were looked for before: see {@link CILIUM_USER_OBJECTS}.
 */
export const REMOVE_CILIUM_OBJECTS = `for crd in $(kubectl get customresourcedefinitions -o name | grep '\\.cilium\\.io$' || true); do
  kubectl delete "$crd" --wait --timeout 60s >&2
done
`;

/** Prints the names of the objects of Cilium's kinds that its users made, which would go with its definitions. */
export const CILIUM_USER_OBJECTS = `for kind in $(kubectl get customresourcedefinitions -o name | sed -n 's|.*/\\(.*\\)\\.cilium\\.io$|\\1|p'); do
  case $kind in ${OWN_KINDS.join(" | ")}) continue ;; esac
  kubectl get "$kind.cilium.io" --all-namespaces -o 'jsonpath={range .items[*]}{.kind}{" "}{.metadata.namespace}/{.metadata.name}{"\\n"}{end}' 2>/dev/null || true
done
`;
