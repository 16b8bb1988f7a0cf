import * as pulumi from "@pulumi/pulumi";
import { Cluster } from "../components/cluster/Cluster";
import { ConnectivityCheck } from "../components/connectivity/ConnectivityCheck";
import { Lab } from "../components/lab/Lab";
import { SshHost } from "../components/machine/SshHost";
import { kindNamed } from "../components/network/registry";
import { AGNHOST_IMAGE } from "../components/node/releases";
import { SelectedService } from "../components/service/SelectedService";
import { type CONFIDENTIAL, NAMESPACE, parseConfig, shownSecrets } from "./config";

// The SDK has it at run time, but not among its types.
const { isConfigSecret } = pulumi.runtime as unknown as { readonly isConfigSecret: (key: string) => boolean };
const config = parseConfig(pulumi.runtime.allConfig(), isConfigSecret);
for (const key of shownSecrets(isConfigSecret)) {
  void pulumi.log.warn(
    `${NAMESPACE}:${key} is a secret in the config, and its value is shown all the same; set it without --secret`,
  );
}

/** A value as secret as the setting is that it comes from. */
function kept<T extends string | string[] | Record<string, string>>(
  key: (typeof CONFIDENTIAL)[number],
  value: T,
): pulumi.Input<T> {
  return isConfigSecret(`${NAMESPACE}:${key}`) ? (pulumi.secret(value) as pulumi.Output<T>) : value;
}

const { hosts, sshPrivateKey, sshPrivateKeyPassword } = config;
const nodes = hosts
  ? Object.fromEntries(
      Object.entries(hosts).map(([name, { host, port, user, hostKey, ...machine }]) => [
        name,
        new SshHost(name, {
          ...machine,
          connection: {
            ...{ host, port, user, hostKey, privateKey: pulumi.secret(sshPrivateKey ?? "") },
            ...(sshPrivateKeyPassword !== undefined && { privateKeyPassword: pulumi.secret(sshPrivateKeyPassword) }),
          },
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

const cluster = new Cluster("cluster", {
  nodes,
  clusterName: config.clusterName,
  owner: config.owner,
  podCidr: config.podCidr,
  serviceCidr: config.serviceCidr,
  nodePrefix: config.nodePrefix,
  kubeProxyMode: config.kubeProxyMode,
  scheduleOnControlPlane: config.scheduleOnControlPlane,
  ...(config.mirror !== undefined && { mirror: kept("mirror", config.mirror) }),
  ...(config.checksums !== undefined && { checksums: kept("checksums", config.checksums) }),
});
const network = kindNamed(config.network).make("network", {
  cluster,
  mtu: config.mtu,
  ...config.networkArguments,
});
const service = new SelectedService(
  "web",
  {
    cluster,
    serviceName: config.serviceName,
    selector: config.serviceSelector,
    image: config.serviceImage === undefined ? AGNHOST_IMAGE : kept("serviceImage", config.serviceImage),
    args: kept(
      "serviceArgs",
      config.serviceArgs ??
        (config.serviceImage === undefined ? ["netexec", `--http-port=${String(config.serviceTargetPort)}`] : []),
    ),
    replicas: config.serviceReplicas,
    ports: [{ port: config.servicePort, targetPort: config.serviceTargetPort }],
  },
  // Its resource was called as the Service before, whose new name must not make another one beside it.
  { dependsOn: network, aliases: config.serviceName === "web" ? [] : [{ name: config.serviceName }] },
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
