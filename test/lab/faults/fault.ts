import type { ClaimId } from "../../../components/connectivity/claims";

/** Something that somebody breaks on the lab, and what the check has to make of it. */
export interface Fault {
  /** Bash that breaks it, by node. */
  readonly plant: Readonly<Record<string, string>>;
  /** Bash that mends it, by node. */
  readonly back: Readonly<Record<string, string>>;
  /** The claims that fail by it, and no others. */
  readonly claims: readonly ClaimId[];
  /** The first cause that is told, with its place; `{w2}` stands for the address of a node. */
  readonly cause: string | RegExp;
  /** Number of causes that are told; 1 where it is left away. */
  readonly causes?: number;
}

/** Keeps podnet's unit from mending what is broken, and lets it go on. */
export const HOLD = "systemctl kill --signal STOP podnet-network";
/** Ends {@link HOLD}. */
export const LET_GO = "systemctl kill --signal CONT podnet-network";

/** The first three numbers of the nodes' addresses, as `$net`. */
export const NET = `net=$(ip -4 -o address show eth0 | awk '{ print $4; exit }' | sed 's|\\.[0-9]*/.*||')`;

/** The node's end of the interface of a probe, as `$port`. */
export const portOf = (probe: string): string =>
  `pid=$(grep -lsz '^PODNET_PROBE=${probe}$' /proc/[0-9]*/environ | head -n 1 | cut -d/ -f3)
index=$(nsenter -t "$pid" -n ip -o link show dev eth0 | sed 's/.*@if\\([0-9]*\\):.*/\\1/')
port=$(ip -o link | awk -F'[ :@]+' -v i="$index" '$1 == i { print $2 }')`;

/** A table of nftables with one chain of one rule; `nft delete table ip planted` takes it away. */
export const rule = (hook: string, text: string): string => `nft -f - <<'END'
table ip planted {
  chain planted {
    type ${hook}; policy accept;
    ${text}
  }
}
END`;
/** Takes the table of {@link rule} away. */
export const UNRULE = "nft delete table ip planted; conntrack -F >/dev/null 2>&1 || true";
