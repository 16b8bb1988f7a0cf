import { type Fault } from "./fault";

export default {
  networks: ["bridge"],
  plant: {
    w1: 'for i in $(seq 2 254); do f=/run/podnet/ipam/podnet/10.244.1.$i; [ -e "$f" ] || { echo planted >"$f"; }; done',
  },
  back: { w1: "grep -lx planted /run/podnet/ipam/podnet/10.244.1.* | xargs rm -f" },
  claims: ["fresh-pod"],
  cause: /^w1: a new pod there is not as it should be: .*no IP addresses available in range set/,
} satisfies Fault;
