import { type Cluster, ConnectivityCheck, type PodNetwork, SelectedService } from "../components";

/** A DNS server of three pods, asked by UDP and TCP, and the check that proves it. */
export function resolver(cluster: Cluster, network: PodNetwork): ConnectivityCheck {
  const dns = new SelectedService(
    "resolver",
    {
      cluster,
      selector: { app: "resolver" },
      image: "registry.example.com/resolver:1.4",
      replicas: 3,
      ports: [
        { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" },
        { name: "dns-tcp", port: 53, targetPort: 5353 },
      ],
    },
    { dependsOn: network },
  );
  return new ConnectivityCheck("connectivity", { cluster, network, services: [dns] });
}
