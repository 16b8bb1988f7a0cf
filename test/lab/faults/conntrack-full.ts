import type { Fault } from "./fault";

/** Connections that somebody has to keep, or nobody could look at the node: SSH, the API, and the kubelet's probes of its pods. */
const SPARED = `nft -f - <<'END'
table ip planted {
  chain come {
    type filter hook prerouting priority -300; policy accept;
    tcp dport { 22, 10250 } notrack
    tcp sport 6443 notrack
    iifname "cni0" ip daddr 10.244.1.1 notrack
  }
  chain go {
    type filter hook output priority -300; policy accept;
    tcp sport { 22, 10250 } notrack
    tcp dport 6443 notrack
    oifname "cni0" notrack
  }
}
END`;
/** As many connections as the table takes, each for an hour. */
const FILL = `awk -v most="$(cat /proc/sys/net/netfilter/nf_conntrack_max)" 'BEGIN { for (i = 0; i < most; i++)
  printf "-I -p tcp -s 10.%d.%d.%d -d 203.0.113.9 --sport 1000 --dport 80 --state ESTABLISHED -u ASSURED,SEEN_REPLY -t 3600\\n", 20 + int(i / 65536), int(i / 256) % 256, i % 256 }' >/root/connections
# What is there already would leave room as it ends.
conntrack -F >/dev/null 2>&1; conntrack -R /root/connections >/dev/null 2>&1 || true
rm /root/connections`;

export default {
  networks: ["bridge"],
  plant: { w1: `${SPARED}\n${FILL}` },
  back: { w1: "nft delete table ip planted; conntrack -F >/dev/null 2>&1; sleep 5" },
  claims: ["pod-to-pod", "node-to-pod", "pod-to-node"],
  cause: /^w1: its table of connections is full: 26\d+ of nf_conntrack_max 262144/,
} satisfies Fault;
