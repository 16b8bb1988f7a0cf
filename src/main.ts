import * as pulumi from "@pulumi/pulumi";
import { Cluster } from "../components/cluster/Cluster";
import { ConnectivityCheck } from "../components/connectivity/ConnectivityCheck";
import { SshHost } from "../components/machine/SshHost";
import { Lab } from "../components/lab/Lab";
import { BridgeNetwork } from "../components/network/bridge/BridgeNetwork";
import { CiliumNetwork } from "../components/network/cilium/CiliumNetwork";
import { FlannelNetwork } from "../components/network/flannel/FlannelNetwork";
import { KubeRouterNetwork } from "../components/network/kube-router/KubeRouterNetwork";
import type { PodNetwork } from "../components/network/PodNetwork";
import { SelectedService } from "../components/service/SelectedService";
import { parseConfig } from "./config";
import {
  bridgePlan,
  ciliumPlan,
  flannelPlan,
  kubeRouterPlan,
  type NetworkKind,
  type NetworkPlan,
} from "../components/network/definition";
import { AGNHOST_IMAGE } from "../components/node/releases";

const config = parseConfig(pulumi.runtime.allConfig());

const { hosts, sshPrivateKey } = config;
const nodes = hosts
  ? Object.fromEntries(
      Object.entries(hosts).map(([name, { slot, role, internalIp, host, port, user, hostKey }]) => [
        name,
        new SshHost(name, {
          slot,
          role,
          internalIp,
          connection: { host, port, user, hostKey, privateKey: pulumi.secret(sshPrivateKey ?? "") },
        }),
      ]),
    )
  : new Lab("lab", {
      nodes: config.nodes,
      labName: config.labName,
      subnet: config.labSubnet,
      image: config.nodeImage,
      dockerHost: config.dockerHost,
      mirrorDir: config.mirrorDir,
    }).nodes;

const { mtu } = config;
/** Each network as this stack's config describes it: what follows from its choice, and how it is made. */
const networks: Readonly<
  Record<NetworkKind, { readonly plan: () => NetworkPlan; readonly make: (on: Cluster) => PodNetwork }>
> = {
  bridge: {
    plan: bridgePlan,
    make: (on) => new BridgeNetwork("network", { cluster: on, mtu }),
  },
  flannel: {
    plan: () => flannelPlan(config.flannelBackend),
    make: (on) => new FlannelNetwork("network", { cluster: on, mtu, backend: config.flannelBackend }),
  },
  "kube-router": {
    plan: () => kubeRouterPlan(config.kubeRouterServiceProxy),
    make: (on) => new KubeRouterNetwork("network", { cluster: on, mtu, serviceProxy: config.kubeRouterServiceProxy }),
  },
  cilium: {
    plan: () => ciliumPlan(config.ciliumRoutingMode, config.ciliumKubeProxyReplacement),
    make: (on) =>
      new CiliumNetwork("network", {
        cluster: on,
        mtu,
        routingMode: config.ciliumRoutingMode,
        kubeProxyReplacement: config.ciliumKubeProxyReplacement,
      }),
  },
};
const chosen = networks[config.network];

const cluster = new Cluster("cluster", {
  nodes,
  clusterName: config.clusterName,
  podCidr: config.podCidr,
  serviceCidr: config.serviceCidr,
  nodePrefix: config.nodePrefix,
  kubeProxyMode: config.kubeProxyMode,
  scheduleOnControlPlane: config.scheduleOnControlPlane,
  network: chosen.plan().id,
  mirror: config.mirror,
  checksums: config.checksums,
});
const network = chosen.make(cluster);
const service = new SelectedService(
  config.serviceName,
  {
    cluster,
    selector: config.serviceSelector,
    image: config.serviceImage ?? AGNHOST_IMAGE,
    args:
      config.serviceArgs ??
      (config.serviceImage === undefined ? ["netexec", `--http-port=${String(config.serviceTargetPort)}`] : []),
    replicas: config.serviceReplicas,
    ports: [{ port: config.servicePort, targetPort: config.serviceTargetPort }],
  },
  { dependsOn: network },
);
const connectivity = new ConnectivityCheck("connectivity", { cluster, network, services: [service] });

export const kubeconfig = cluster.kubeconfig;
export const mtus = network.mtus;
export const web = {
  clusterIP: service.clusterIP,
  ports: service.ports,
  endpoints: service.endpoints,
};
export const passed = connectivity.passed;
export const claims = connectivity.claims;
export const verify = connectivity.verify;
