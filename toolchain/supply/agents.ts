import { CILIUM_IMAGES, CILIUM_VERSION } from "../../components/network/cilium/definition";
import { FLANNEL_IMAGES, FLANNEL_VERSIONS } from "../../components/network/flannel/definition";
import { KUBE_ROUTER_IMAGES, KUBE_ROUTER_VERSION } from "../../components/network/kube-router/definition";

/** Versions of the networks that run an agent, and of flannel's CNI plugin, as their projects tag them. */
export const NETWORK_VERSIONS = {
  flannel: FLANNEL_VERSIONS.flannel,
  flannelCniPlugin: FLANNEL_VERSIONS.cniPlugin,
  kubeRouter: KUBE_ROUTER_VERSION,
  cilium: CILIUM_VERSION,
} as const;

/** The official images of the networks that run an agent, by network. */
export const NETWORK_IMAGES = {
  flannel: FLANNEL_IMAGES,
  "kube-router": KUBE_ROUTER_IMAGES,
  cilium: CILIUM_IMAGES,
} as const;

/** A network that runs an agent on every node, out of images. */
export type AgentNetwork = keyof typeof NETWORK_IMAGES;

/** The networks that run an agent. */
export const AGENT_NETWORKS = Object.keys(NETWORK_IMAGES) as AgentNetwork[];

/** The images that a network's agent runs from. */
export function networkImages(network: AgentNetwork): string[] {
  return Object.values(NETWORK_IMAGES[network]);
}
