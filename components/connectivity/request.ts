import type { Probe } from "./probes";

/** A transport that a claim is proven with. */
export type Protocol = "TCP" | "UDP" | "ICMP";

/** The transports that pods and Services are asked by. */
export const TRANSPORTS = ["TCP", "UDP"] as const;

/** A probe's pod as the API server and its own node know it. */
export interface ProbePod {
  readonly probe: Probe;
  readonly node: string;
  readonly name: string;
  /** Address in the pod's status. */
  readonly ip: string;
}

/** What a request asks for, beside who asks whom. */
export type Ask =
  /** The address that the asker is seen by. */
  | { readonly kind: "clientip"; readonly protocol: "TCP" | "UDP"; readonly address: string; readonly port: number }
  /** The address that the asker is seen by, of many pods: each is asked once. */
  | { readonly kind: "reach"; readonly protocol: "TCP"; readonly port: number; readonly to: readonly ProbePod[] }
  /** The names of whoever answers, `tries` times over. */
  | {
      readonly kind: "hostnames";
      readonly protocol: "TCP" | "UDP";
      readonly address: string;
      readonly port: number;
      readonly tries: number;
    }
  /** Whether a TCP connection comes about. */
  | { readonly kind: "connect"; readonly protocol: "TCP"; readonly address: string; readonly port: number }
  /** The address that a peer outside the cluster sees the asker by; its answer begins with the nonce. */
  | {
      readonly kind: "outside";
      readonly protocol: "TCP";
      readonly address: string;
      readonly port: number;
      readonly nonce: string;
    }
  /** Whether an IP packet of `size` bytes that may not be fragmented is answered. */
  | { readonly kind: "packet"; readonly protocol: "ICMP"; readonly address: string; readonly size: number }
  /** Whether an IP packet of `size` bytes that goes in fragments is answered. */
  | {
      readonly kind: "fragments";
      readonly protocol: "UDP";
      readonly address: string;
      readonly port: number;
      readonly size: number;
    }
  /** How many of `count` packets are answered. */
  | { readonly kind: "loss"; readonly protocol: "ICMP"; readonly address: string; readonly count: number }
  /** The address of a name, as the pod would ask for it, or as a server at an address tells it. */
  | { readonly kind: "resolve"; readonly protocol: "UDP"; readonly name: string; readonly server?: string };

/** One request that a probe makes. */
export interface Request {
  readonly id: string;
  /** Id of the claim that it is made for. */
  readonly claim: string;
  /** Who asks: a probe of a node; `probe-host` asks for the node. */
  readonly node: string;
  readonly probe: Probe;
  readonly source: string;
  /** Node that is asked, where it is one. */
  readonly targetNode?: string;
  readonly target: string;
  readonly ask: Ask;
  /** The program's Service that it is about, as `namespace/name`. */
  readonly service?: string;
  /** Name of the port of that Service. */
  readonly servicePort?: string;
  /** The pod of that Service that has to answer, where it is one. */
  readonly pod?: string;
  /** Which proof of its claim it is for, where there are several of one Service. */
  readonly proof?: "affinity";
  /** Number of different answers without which it is made again. */
  readonly answers?: number;
  /** Number of different answers with more than which it is made again, since kube-proxy may still follow a change; the last time counts. */
  readonly atMost?: number;
  /** Names of the pods that may answer, or the addresses of a name; while another does, it is made again, since kube-proxy may still follow a change. */
  readonly only?: readonly string[];
  /** Whether it is not made again when nothing answers, which is what can be expected; a refusal is an answer of its kind. */
  readonly silenceStands?: boolean;
}

/** What came of one request. */
export type Answer = (
  | { readonly ok: true; readonly values: readonly string[]; readonly errors: readonly string[] }
  | { readonly ok: false; readonly error: string }
) & {
  /** Where many were asked, what came of those of which something else came, by their addresses. */
  readonly except?: ReadonlyMap<string, Answer>;
};

/** Number of pods, nodes or Services that a request asks. */
export function sizeOf({ ask }: Pick<Request, "ask">): number {
  return ask.kind === "reach" ? ask.to.length : 1;
}

/** A request as a claim plans it; the plan adds the rest. */
export type PlannedRequest = Omit<Request, "id" | "claim" | "source">;

/** How a probe or a node is called in the report. */
export function nameOf(node: string, probe: Probe): string {
  return probe === "probe-host" ? node : `${node}/${probe}`;
}

/** The node in a name of {@link nameOf}. */
export function nodeOf(name: string): string {
  return name.split("/")[0] ?? name;
}

/** Times that a Service is asked, so that each of `count` endpoints is missed by chance less than once in a million runs. */
export function triesFor(count: number): number {
  return count <= 1 ? 2 : Math.ceil(Math.log(1e-6 / count) / Math.log(1 - 1 / count));
}

/** Packets that were lost, by an answer `RECEIVED/SENT`; 0 in any other. */
export function lostOf(answer: string): number {
  const [, received, sent] = /^(\d+)\/(\d+)$/.exec(answer) ?? [];
  return received === undefined || sent === undefined ? 0 : Number(sent) - Number(received);
}
