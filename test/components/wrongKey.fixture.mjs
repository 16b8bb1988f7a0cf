// A user's program whose private key is a secret, and a public key by mistake: what only an Output tells.
import { createRequire } from "node:module";
import process from "node:process";

const load = createRequire(`${process.cwd()}/`);
const pulumi = load("@pulumi/pulumi");
const { BridgeNetwork, Cluster, ConnectivityCheck, SelectedService, SshHost } = load("./dist/components");

const hostKey = pulumi.runtime.allConfig()["podnet:hostKey"];
const machine = (name, slot, role) =>
  new SshHost(name, {
    slot,
    role,
    connection: { host: `192.0.2.${10 + slot}`, privateKey: pulumi.secret(hostKey), hostKey },
  });
const nodes = { cp: machine("cp", 0, "control-plane"), w1: machine("w1", 1, "worker"), w2: machine("w2", 2, "worker") };
const cluster = new Cluster("demo", { nodes, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/16" });
const network = new BridgeNetwork("network", { cluster });
const web = new SelectedService("web", {
  cluster,
  selector: { app: "web" },
  image: "nginx:1.29",
  ports: [{ port: 80 }],
});
new ConnectivityCheck("connectivity", { cluster, network, services: [web] });
