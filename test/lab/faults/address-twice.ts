import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: `pid=$(grep -lsz '^PODNET_PROBE=probe-a$' /proc/[0-9]*/environ | head -n 1 | cut -d/ -f3)
address=$(nsenter -t "$pid" -n ip -4 -o address show dev eth0 | awk '{ print $4 }' | cut -d/ -f1)
cp "/run/podnet/ipam/podnet/$address" /root/kept-address; echo "$address" >/root/kept-name
cp /run/podnet/ipam/podnet/last_reserved_ip.0 /root/kept-last
rm "/run/podnet/ipam/podnet/$address"
printf '%s' "10.244.1.$((\${address##*.} - 1))" >/run/podnet/ipam/podnet/last_reserved_ip.0`,
  },
  back: {
    // The next pod gets an address that no pod had a moment ago: other pods still know that by its link-layer address.
    w1: `sleep 10; cp /root/kept-address "/run/podnet/ipam/podnet/$(cat /root/kept-name)"
cp /root/kept-last /run/podnet/ipam/podnet/last_reserved_ip.0; rm /root/kept-*; ip neigh flush dev cni0`,
  },
  claims: ["fresh-pod"],
  cause:
    /^w1: a new pod there is not as it should be: it has 10\.244\.1\.\d+, which podnet-check\/probe-a-\w+ on w1 has too/,
} satisfies Fault;
