import { type Fault, HOLD, LET_GO } from "./fault";

export default {
  networks: ["bridge"],
  plant: { w1: `${HOLD}; nft delete table ip podnet` },
  back: { w1: `${LET_GO}; for _ in $(seq 60); do nft list table ip podnet >/dev/null 2>&1 && break; sleep 1; done` },
  claims: ["as-made", "egress"],
  cause: "w1: nft's table ip podnet is missing",
} satisfies Fault;
