import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: `cat >/etc/cni/net.d/00-other.conflist <<'END'
{"cniVersion":"1.0.0","name":"other","plugins":[{"type":"bridge","bridge":"other0","isGateway":true,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.99.0.0/24"}]]}}]}
END
sleep 6`,
  },
  back: {
    w1: "rm /etc/cni/net.d/00-other.conflist; sleep 6; ip link del other0 2>/dev/null || true; rm -rf /var/lib/cni/networks/other",
  },
  claims: ["as-made", "fresh-pod"],
  cause: /^w1: 00-other\.conflist/,
} satisfies Fault;
