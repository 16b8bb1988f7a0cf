import type { Parameters } from "../node/parameters";
import { PORTS, type Probe } from "./probes";
import { answerOfAll, type Reach } from "./reach";
import type { Answer, Request } from "./request";

export type { Answer } from "./request";

/** A probe's process as its node sees it. */
export interface SeenProbe {
  readonly probe: string;
  /** Process whose network namespace is the pod's. */
  readonly pid: number;
  /** Address that the downward API gave the container. */
  readonly downwardIp: string;
  /** Addresses of the pod's own interface. */
  readonly interfaceIps: readonly string[];
  readonly podName: string;
}

/** Seconds that one request may take. */
const DEADLINE = 1.5;

/** Port at which a probe's own agnhost takes what it shall ask others. */
export function ownPort(probe: Probe): number {
  return probe === "probe-host" ? PORTS.host.TCP : PORTS.pod.TCP;
}

/** Path by which an agnhost is told to ask another one, `tries` times over. */
export function dialPath(
  {
    address: host,
    port,
    protocol,
  }: { readonly address: string; readonly port: number; readonly protocol: "TCP" | "UDP" },
  what: "clientip" | "hostname",
  tries: number,
): string {
  const by = protocol === "TCP" ? "http" : "udp";
  return `/dial?host=${host}&port=${String(port)}&protocol=${by}&request=${what}&tries=${String(tries)}`;
}

/** URL that curl fetches for a request, in the namespace of the one who asks: directly, or by way of the asker's agnhost. */
function urlOf({ ask, probe }: Request): string | undefined {
  const own = `http://127.0.0.1:${String(ownPort(probe))}`;
  switch (ask.kind) {
    case "clientip":
      return ask.protocol === "TCP"
        ? `http://${ask.address}:${String(ask.port)}/clientip`
        : `${own}${dialPath(ask, "clientip", 1)}`;
    case "hostnames":
      return `${own}${dialPath(ask, "hostname", ask.tries)}`;
    case "outside":
      return `http://${ask.address}:${String(ask.port)}/${ask.nonce}`;
    case "connect":
      return `http://${ask.address}:${String(ask.port)}/`;
    default:
      return undefined;
  }
}

/** What a node is asked to do for a request: the line that the node program's `probe` reads. */
function lineOf(request: Request): string {
  const { id, probe, ask } = request;
  switch (ask.kind) {
    case "packet":
      return `${id} ${probe} packet ${ask.address} ${String(ask.size)}`;
    case "fragments":
      return `${id} ${probe} fragments ${ask.address}:${String(ask.port)} ${String(ask.size)}`;
    case "loss":
      return `${id} ${probe} loss ${ask.address} ${String(ask.count)}`;
    case "reach":
      return `${id} ${probe} reach ${ask.to.map(({ ip }) => ip).join()} ${String(ask.port)}`;
    case "resolve":
      return `${id} ${probe} resolve ${ask.name}${ask.server === undefined ? "" : `@${ask.server}`}`;
    default:
      return `${id} ${probe} fetch ${urlOf(request) ?? ""}`;
  }
}

/**
 * The parameters of the node program's `probe`, which makes a node's requests all at once but for a bound, each with its deadline.
 * `pids` are the processes of the node's probes.
 */
export function probeParameters(requests: readonly Request[], pids: Readonly<Record<string, number>>): Parameters {
  return {
    request: requests.map(lineOf),
    pid: Object.entries(pids).map(([probe, pid]) => `${probe} ${String(pid)}`),
  };
}

/** Whether an error is that nothing came back, which is not a refusal. */
export function isSilence(error: string): boolean {
  return /^no answer|timeout/i.test(error);
}

/** What a failed transfer's code means to a reader who looks for a broken network. */
function failure(code: string, message: string): string {
  switch (code) {
    case "28":
      return `no answer within ${String(DEADLINE)} s`;
    case "7":
      return /refused/i.test(message) ? "connection refused" : `cannot connect${message === "" ? "" : `: ${message}`}`;
    case "52":
    case "56":
      return "connection broke off";
    default:
      return message === "" ? `curl ended with code ${code}` : message;
  }
}

/** Reads what `probe` answered, `id:line` lines, into one answer per request. */
export function parseAnswers(requests: readonly Request[], output: readonly string[]): Map<string, Answer> {
  const lines = new Map<string, string[]>();
  const transfers = new Map<string, { readonly code: string; readonly connected: boolean; readonly message: string }>();
  for (const line of output) {
    const colon = line.indexOf(":");
    const file = line.slice(0, colon);
    const text = line.slice(colon + 1);
    if (file.startsWith("w-")) {
      const match = /^([a-z][0-9]+) code ([0-9]+) ([0-9.]+) ?(.*)$/.exec(text);
      if (match) {
        const [, id = "", code = "", time = "0", message = ""] = match;
        transfers.set(id, { code, connected: Number(time) > 0, message });
      }
    } else if (colon > 0) {
      const own = lines.get(file);
      if (own) {
        own.push(text);
      } else {
        lines.set(file, [text]);
      }
    }
  }
  const known = new Map<string, Answer>();
  return new Map(
    requests.map((request) => {
      const { id } = request;
      const own = lines.get(id) ?? [];
      const { ask } = request;
      const answer = ask.kind === "reach" ? reachIn(ask, own) : answerOf(request, own, transfers.get(id));
      return [id, answer.except === undefined ? shared(known, answer) : answer];
    }),
  );
}

/**
 * What came of many: `most COUNT CODE TEXT` for as many as the same came of, and `ADDRESS CODE TEXT` for each of the others. The text
 * of code 0 is the address that the asker is seen by.
 */
function reachIn({ to }: Reach, lines: readonly string[]): Answer {
  const told = lines
    .map((line) => /^(\S+) (.*)$/.exec(line) ?? [])
    .map(([, who = "", what = ""]) => [who, what] as const);
  const [, most = ""] = told.find(([who]) => who === "most") ?? [];
  const [, count = "0", ...what] = /^(\d+) (.*)$/.exec(most) ?? [];
  const others = new Map(told.filter(([who]) => who !== "most").map(([who, text]) => [who, outcomeIn(text)]));
  // Of whom nothing is told nothing is known, unless all are told of.
  const rest = Number(count) + others.size === to.length ? outcomeIn(what.join()) : NOT_MADE;
  return answerOfAll(to, ({ ip }) => others.get(ip) ?? rest);
}

const NOT_MADE: Answer = { ok: false, error: "the request was not made" };

function outcomeIn(text: string): Answer {
  const [, code = "", rest = ""] = /^(\d+) ?(.*)$/.exec(text) ?? [];
  if (code === "") {
    return NOT_MADE;
  }
  if (code !== "0") {
    return { ok: false, error: failure(code, rest) };
  }
  return isRemote(rest) ? { ok: true, values: [addressOf(rest)], errors: [] } : { ok: false, error: STRANGER };
}

/** One answer for all that are alike: of a node's thousand most say the same. Without a tie to the whole text that it was read from. */
function shared(known: Map<string, Answer>, answer: Answer): Answer {
  const text = JSON.stringify(answer);
  const own = known.get(text) ?? (JSON.parse(text) as Answer);
  known.set(text, own);
  return own;
}

function answerOf(
  { ask }: Request,
  lines: readonly string[],
  transfer: { readonly code: string; readonly connected: boolean; readonly message: string } | undefined,
): Answer {
  if (ask.kind === "loss") {
    return lossIn(lines);
  }
  if (ask.kind === "packet" || ask.kind === "fragments" || ask.kind === "resolve") {
    const text = lines.filter((line) => !line.startsWith("code "));
    if (!lines.includes("code 0")) {
      const tooLong = text.some((line) => /message too long|too big|Frag needed/i.test(line));
      const reason =
        ask.kind === "resolve"
          ? "the name does not resolve"
          : tooLong
            ? "too long for the link"
            : `no answer within ${ask.kind === "fragments" ? String(DEADLINE) : "1"} s`;
      return { ok: false, error: reason };
    }
    const values =
      ask.kind === "resolve" ? [...new Set(text.map((line) => line.split(/\s+/)[0] ?? ""))] : [String(ask.size)];
    return { ok: true, values, errors: [] };
  }
  if (transfer === undefined) {
    return NOT_MADE;
  }
  if (ask.kind === "connect") {
    return transfer.connected
      ? { ok: true, values: ["connected"], errors: [] }
      : { ok: false, error: failure(transfer.code, transfer.message) };
  }
  if (transfer.code !== "0") {
    return { ok: false, error: failure(transfer.code, transfer.message) };
  }
  const body = lines.join("\n");
  if (ask.kind === "outside") {
    const [nonce, seen = ""] = body.split(" ");
    return nonce === ask.nonce ? { ok: true, values: [seen], errors: [] } : { ok: false, error: STRANGER };
  }
  if (ask.kind === "clientip" && ask.protocol === "TCP") {
    return isRemote(body) ? { ok: true, values: [addressOf(body)], errors: [] } : { ok: false, error: STRANGER };
  }
  return ask.kind === "reach" ? NOT_MADE : dialled(ask.kind, body);
}

/** Reads what an agnhost tells of those whom it asked. */
export function dialled(kind: "clientip" | "hostnames", body: string): Answer {
  try {
    const told = JSON.parse(body) as { responses?: string[]; errors?: string[] };
    const given = told.responses ?? [];
    if (given.some((text) => (kind === "clientip" ? !isRemote(text) : text === ""))) {
      return { ok: false, error: STRANGER };
    }
    const values = given.map((text) => (kind === "clientip" ? addressOf(text) : text));
    const errors = (told.errors ?? []).map((text) => text.replace(/^.*?err:'?/, "").replace(/'$/, ""));
    return values.length > 0 ? { ok: true, values, errors } : { ok: false, error: errors[0] ?? "no answer" };
  } catch {
    return { ok: false, error: `unexpected answer: ${body.slice(0, 80)}` };
  }
}

/** How many packets were answered, as `RECEIVED/SENT`, and how long an answer took on average, in milliseconds. */
function lossIn(lines: readonly string[]): Answer {
  const text = lines.join("\n");
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? [];
  const [, , average = ""] = /= ([\d.]+)\/([\d.]+)\//.exec(text) ?? [];
  return sent === undefined || received === undefined
    ? { ok: false, error: "no packet was sent" }
    : { ok: true, values: [`${received}/${sent}`, ...(average === "" ? [] : [`${average} ms`])], errors: [] };
}

/** What is said of an answer that no pod of the check gives, such as that of a proxy outside. */
const STRANGER = "somebody else answers in its place";

/** Whether an answer is what agnhost tells of a client, `ADDRESS:PORT`. */
function isRemote(text: string): boolean {
  return /^(\[[0-9a-f:.]+\]|[0-9.]+):[0-9]+$/.test(text);
}

function addressOf(remote: string): string {
  return remote.replace(/:[0-9]+$/, "").replace(/^\[(::ffff:)?(.*)\]$/, "$2");
}
