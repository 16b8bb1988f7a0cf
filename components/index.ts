export type { Json } from "./args/json";
export type { ClusterArgs, KubeProxyMode } from "./cluster/args";
export { Cluster } from "./cluster/Cluster";
export type { ClusterNode } from "./cluster/nodes";
export type { ClaimCounts } from "./connectivity/report/report";
export { ConnectivityCheck, type ConnectivityCheckArgs } from "./connectivity/ConnectivityCheck";
export { Lab, type LabArgs, type LabNodePlace } from "./lab/Lab";
export type { LabNode } from "./lab/LabNode";
export type { SshConnection } from "./machine/connection";
export type { Machine, Role } from "./machine/Machine";
export { SshHost, type SshHostArgs } from "./machine/SshHost";
export * from "./network/kinds";
export type { PodNetwork } from "./network/PodNetwork";
export type { PortProtocol, ServiceType, SessionAffinity } from "./service/args";
export {
  SelectedService,
  type SelectedServiceArgs,
  type ServicePort,
  type ServicePortArgs,
} from "./service/SelectedService";
