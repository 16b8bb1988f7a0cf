import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: "cp -a /etc/cni/net.d/10-podnet.conflist /root/kept; sed -i 's|10.244.1.0/24|10.77.1.0/24|' /etc/cni/net.d/10-podnet.conflist; sleep 6",
  },
  back: {
    w1: "cp -a /root/kept /etc/cni/net.d/10-podnet.conflist; rm /root/kept; sleep 6; ip address del 10.77.1.1/24 dev cni0 2>/dev/null || true",
  },
  claims: ["as-made", "fresh-pod"],
  cause: /^w1: \/etc\/cni\/net\.d\/10-podnet\.conflist has changed/,
} satisfies Fault;
