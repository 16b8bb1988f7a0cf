import { type Fault, rule, UNRULE } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: rule("nat hook postrouting priority 90", 'ip saddr 10.244.1.0/24 oifname "eth0" masquerade') },
  back: { w1: UNRULE },
  claims: ["no-nat"],
  cause:
    /^w1: the rule `ip saddr 10\.244\.1\.0\/24 oifname "eth0" masquerade` in nft's chain ip planted planted gives packets another source address/,
} satisfies Fault;
