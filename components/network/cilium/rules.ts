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
