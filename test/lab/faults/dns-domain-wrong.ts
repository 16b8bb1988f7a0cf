import { DNS_BACK, type Fault, NETWORKS, corefile } from "./fault";

export default {
  networks: NETWORKS,
  plant: { cp: `${corefile("s|kubernetes cluster.local|kubernetes other.local|")}; ${DNS_BACK}` },
  back: { cp: `${corefile("s|kubernetes other.local|kubernetes cluster.local|")}; ${DNS_BACK}` },
  claims: ["dns"],
  cause: /^the cluster's DNS: asked for probe\.podnet-check\.svc\.cluster\.local: the name does not resolve \(9 proofs/,
} satisfies Fault;
