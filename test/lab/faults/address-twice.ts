import { type Fault } from "./fault";

export default {
  plant: {
    w1: `pid=$(grep -lsz '^PODNET_PROBE=probe-a$' /proc/[0-9]*/environ | head -n 1 | cut -d/ -f3)
address=$(nsenter -t "$pid" -n ip -4 -o address show dev eth0 | awk '{ print $4 }' | cut -d/ -f1)
cp "/run/podnet/ipam/podnet/$address" /root/kept-address; echo "$address" >/root/kept-name
rm "/run/podnet/ipam/podnet/$address"
printf '%s' "10.244.1.$((\${address##*.} - 1))" >/run/podnet/ipam/podnet/last_reserved_ip.0`,
  },
  back: {
    w1: 'sleep 10; cp /root/kept-address "/run/podnet/ipam/podnet/$(cat /root/kept-name)"; rm /root/kept-address /root/kept-name; ip neigh flush dev cni0',
  },
  claims: ["fresh-pod"],
  cause:
    /^w1: a new pod there is not as it should be: it has 10\.244\.1\.\d+, which podnet-check\/probe-a-\w+ on w1 has too/,
} satisfies Fault;
