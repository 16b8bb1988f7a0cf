import type { Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w2: "cp -a /etc/cni/net.d/10-podnet.conflist /root/kept; sed -i 's|10.244.2.0/24|10.244.1.0/24|' /etc/cni/net.d/10-podnet.conflist; sleep 6",
  },
  back: { w2: "cp -a /root/kept /etc/cni/net.d/10-podnet.conflist; rm /root/kept; sleep 6" },
  claims: ["as-made", "fresh-pod"],
  cause: /^w2: \/etc\/cni\/net\.d\/10-podnet\.conflist has changed/,
} satisfies Fault;
