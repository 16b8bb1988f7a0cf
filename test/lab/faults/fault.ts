import type { ClaimId } from "../../../components/connectivity/claims";

/** Networks on which faults can be planted. */
export const NETWORKS = ["bridge", "flannel", "kube-router", "cilium"] as const;
/** One of them. */
export type Network = (typeof NETWORKS)[number];

/** What the check has to make of a fault. */
export interface Outcome {
  /** The claims that fail by it, and no others. */
  readonly claims: readonly ClaimId[];
  /** Claims that fail by it at times, where it comes and goes; none where it is left away. */
  readonly perhaps?: readonly ClaimId[];
  /** The first cause that is told, with its place; `{w2}` stands for the address of a node. */
  readonly cause: string | RegExp;
  /** Number of causes that are told; 1 where it is left away. */
  readonly causes?: number;
}

/** Something that somebody breaks on the lab, and what the check has to make of it. */
export type Fault = {
  /** Networks on which it exists. */
  readonly networks: readonly Network[];
  /** Bash that breaks it, by node. */
  readonly plant: Readonly<Record<string, string>>;
  /** Bash that mends it, by node. */
  readonly back: Readonly<Record<string, string>>;
} & (
  | (Outcome & {
      /** What is made of it on a network, where that differs. */
      readonly on?: Readonly<Partial<Record<Network, Partial<Outcome>>>>;
    })
  | {
      /** Why the check cannot run, in the words that it says. */
      readonly unable: RegExp;
    }
);

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

/** kubectl on the control plane's node. */
export const ADMIN = "kubectl --kubeconfig /etc/kubernetes/admin.conf";

/** Stops kube-proxy on a node, which lives on and does nothing any more. */
export const FREEZE_PROXY = "kill -STOP $(pgrep -x kube-proxy)";
/** Ends {@link FREEZE_PROXY}. */
export const THAW_PROXY = "kill -CONT $(pgrep -x kube-proxy)";
/** Waits for kube-proxy's rules on a node. */
export const PROXY_BACK =
  "for _ in $(seq 60); do nft list table ip kube-proxy 2>/dev/null | grep -q 10.96.0.10 && exit 0; sleep 1; done; exit 1";

/** Edits the Corefile of the cluster's DNS by a script of sed, and makes its pods anew. */
export const corefile = (script: string): string =>
  `${ADMIN} -n kube-system get configmap coredns -o yaml | sed '${script}' | ${ADMIN} replace -f -
${ADMIN} -n kube-system delete pods -l k8s-app=kube-dns --wait`;
/** Waits for the cluster's DNS. */
export const DNS_BACK = `${ADMIN} -n kube-system rollout status deployment/coredns --timeout=120s`;
