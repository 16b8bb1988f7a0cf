import * as pulumi from "@pulumi/pulumi";
import { BridgeNetwork, Cluster, ConnectivityCheck, type Role, SelectedService, SshHost } from "../components";

const config = new pulumi.Config("machines");
const privateKey = config.requireSecret("sshPrivateKey");
const machine = (name: string, slot: number, role: Role, address: string) =>
  new SshHost(name, {
    slot,
    role,
    connection: { host: address, user: "admin", privateKey, hostKey: config.require(`${name}HostKey`) },
  });

const cluster = new Cluster("demo", {
  nodes: {
    cp: machine("cp", 0, "control-plane", "192.0.2.10"),
    w1: machine("w1", 1, "worker", "192.0.2.11"),
    w2: machine("w2", 2, "worker", "192.0.2.12"),
  },
  podCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/16",
});
const network = new BridgeNetwork("pod-network", { cluster });
const web = new SelectedService(
  "web",
  { cluster, selector: { app: "web" }, image: "nginx:1.29", replicas: 3, ports: [{ port: 80 }] },
  { dependsOn: network },
);
const check = new ConnectivityCheck("connectivity", { cluster, network, services: [web] });

export const kubeconfig = cluster.kubeconfig;
export const proven = check.passed;
