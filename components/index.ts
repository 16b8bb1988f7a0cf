export { Cluster, type ClusterArgs, type ClusterNode } from "./cluster/Cluster";
export { ControlPlane, type ControlPlaneArgs } from "./cluster/ControlPlane";
export { NodeRuntime, type NodeRuntimeArgs } from "./node/Node";
export { Worker, type WorkerArgs } from "./cluster/Worker";
export { ConnectivityCheck, type ConnectivityCheckArgs } from "./connectivity/ConnectivityCheck";
export type { NodeArgs, SshConnection } from "./machine/NodeArgs";
export { SshHost, type SshHostArgs } from "./machine/SshHost";
export { Lab, type LabArgs } from "./lab/Lab";
export { LabNode, type LabNodeArgs } from "./lab/LabNode";
export { BridgeNetwork, type BridgeNetworkArgs } from "./network/bridge/BridgeNetwork";
export { CiliumNetwork, type CiliumNetworkArgs } from "./network/cilium/CiliumNetwork";
export { FlannelNetwork, type FlannelNetworkArgs } from "./network/flannel/FlannelNetwork";
export { KubeRouterNetwork, type KubeRouterNetworkArgs } from "./network/kube-router/KubeRouterNetwork";
export type { PodNetwork } from "./network/PodNetwork";
export {
  SelectedService,
  type SelectedServiceArgs,
  type ServicePort,
  type ServicePortArgs,
} from "./service/SelectedService";
