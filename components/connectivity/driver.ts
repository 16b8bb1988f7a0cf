import { quote } from "../node/quote";
import { PORTS } from "./probes";
import type { Request } from "./request";

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

/**
 * Prints a node's own addresses as one JSON line, and then finds the check's probes among its processes and prints one JSON
 * line each. The node's own view, so that nothing depends on the network under test.
 */
export const DISCOVER = `
ip -o -4 address show | awk '{ sub("/.*", "", $4); printf "%s\\"%s\\"", sep == "" ? "{\\"addresses\\":[" : sep, $4; sep = "," } END { print "]}" }'
for file in $(grep -lsz '^PODNET_PROBE=' /proc/[0-9]*/environ 2>/dev/null); do
  pid=\${file#/proc/}; pid=\${pid%/environ}
  probe= ip= name=
  while IFS= read -r -d '' pair; do
    case $pair in PODNET_PROBE=*) probe=\${pair#*=} ;; POD_IP=*) ip=\${pair#*=} ;; POD_NAME=*) name=\${pair#*=} ;; esac
  done <"$file" 2>/dev/null || continue
  [ -n "$probe" ] || continue
  ips=$(nsenter -t "$pid" -n ip -o -4 address show dev eth0 2>/dev/null | awk '{ sub("/.*", "", $4); printf "%s\\"%s\\"", sep, $4; sep = "," }')
  printf '{"probe":"%s","pid":%s,"downwardIp":"%s","interfaceIps":[%s],"podName":"%s"}\\n' "$probe" "$pid" "$ip" "$ips" "$name"
done
`;

/** Seconds that one request may take. */
const DEADLINE = 1.5;

/** URL that curl fetches for a request, in the namespace of the one who asks: directly, or by way of the asker's agnhost. */
function urlOf(request: Request): string | undefined {
  const { ask } = request;
  const own = request.probe === "probe-host" ? PORTS.host.TCP : PORTS.pod.TCP;
  const dial = (host: string, port: number, protocol: string, what: string, tries: number): string =>
    `http://127.0.0.1:${String(own)}/dial?host=${host}&port=${String(port)}&protocol=${protocol}&request=${what}&tries=${String(tries)}`;
  switch (ask.kind) {
    case "clientip":
      return ask.protocol === "TCP"
        ? `http://${ask.address}:${String(ask.port)}/clientip`
        : dial(ask.address, ask.port, "udp", "clientip", 1);
    case "hostnames":
      return dial(ask.address, ask.port, ask.protocol === "TCP" ? "http" : "udp", "hostname", ask.tries);
    case "connect":
      return `http://${ask.address}:${String(ask.port)}/`;
    default:
      return undefined;
  }
}

/**
 * The script that makes a node's requests, all at once but for a bound, each with its deadline, and prints every answer as
 * `id:line`. `pids` are the processes of the node's probes.
 */
export function driveScript(requests: readonly Request[], pids: Readonly<Record<string, number>>): string {
  const parts = [
    "folder=$(mktemp -d)",
    `trap 'rm -rf "$folder"' EXIT`,
    'cd "$folder"',
    // curl's own proxy settings and rc file are the node's business, not the check's.
    "unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY",
  ];
  const probes = [...new Set(requests.map(({ probe }) => probe))];
  for (const probe of probes) {
    const pid = pids[probe];
    const enter = probe === "probe-host" ? "" : `nsenter -t ${String(pid)} -n `;
    const own = requests.filter((request) => request.probe === probe);
    const fetched = own.flatMap((request) => {
      const url = urlOf(request);
      return url === undefined ? [] : [`url = "${url}"\noutput = "${request.id}"\n`];
    });
    if (fetched.length > 0) {
      parts.push(
        `${enter}curl -q -sS -Z --parallel-immediate --parallel-max 32 --connect-timeout ${String(DEADLINE)} --max-time ${String(DEADLINE)} -H 'Connection: close' ` +
          `-w '%{filename_effective} code %{exitcode} %{time_connect} %{errormsg}\\n' --config - >w-${probe} 2>/dev/null <<'END' &\n${fetched.join("")}END`,
      );
    }
    if (own.some(({ ask }) => ask.kind === "packet")) {
      // What the kernel remembers of the path's MTU from an earlier fault is not this run's evidence.
      parts.push(`${enter}ip route flush cache`);
    }
    if (own.some(({ ask }) => ask.kind === "resolve")) {
      // A copy, because mount follows /proc/<pid>/root to the node's own root.
      parts.push(`cp /proc/${String(pid)}/root/etc/resolv.conf resolv-${probe}`);
    }
    for (const { id, ask } of own) {
      if (ask.kind === "packet") {
        // 28 bytes are the IPv4 and ICMP headers.
        parts.push(
          `{ ${enter}ping -n -q -M do -c 1 -W 1 -s ${String(ask.size - 28)} ${ask.address} >${id} 2>&1 && echo "code 0" >>${id} || echo "code 1" >>${id}; } &`,
        );
      } else if (ask.kind === "resolve") {
        const inner = `mount --bind "$PWD/resolv-${probe}" /etc/resolv.conf && RES_OPTIONS='timeout:1 attempts:2' getent ahostsv4 ${quote(`${ask.name}.`)}`;
        parts.push(
          `{ timeout 4 ${enter}unshare -m sh -c ${quote(inner)} >${id} 2>&1 && echo "code 0" >>${id} || echo "code 1" >>${id}; } &`,
        );
      }
    }
  }
  parts.push("wait", "rm -f resolv-*", "grep -H '' -- * 2>/dev/null || true");
  return parts.join("\n") + "\n";
}

/** What came of one request. */
export type Answer =
  | { readonly ok: true; readonly values: readonly string[]; readonly errors: readonly string[] }
  | { readonly ok: false; readonly error: string };

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

/** Reads what {@link driveScript} printed into one answer per request. */
export function parseAnswers(requests: readonly Request[], output: string): Map<string, Answer> {
  const lines = new Map<string, string[]>();
  const transfers = new Map<string, { readonly code: string; readonly connected: boolean; readonly message: string }>();
  for (const line of output.split("\n")) {
    const colon = line.indexOf(":");
    const file = line.slice(0, colon);
    const text = line.slice(colon + 1);
    if (file.startsWith("w-")) {
      const match = /^(r[0-9]+) code ([0-9]+) ([0-9.]+) ?(.*)$/.exec(text);
      if (match) {
        const [, id = "", code = "", time = "0", message = ""] = match;
        transfers.set(id, { code, connected: Number(time) > 0, message });
      }
    } else if (colon > 0) {
      lines.set(file, [...(lines.get(file) ?? []), text]);
    }
  }
  return new Map(
    requests.map((request) => {
      const own = lines.get(request.id) ?? [];
      return [request.id, answerOf(request, own, transfers.get(request.id))];
    }),
  );
}

function answerOf(
  { ask }: Request,
  lines: readonly string[],
  transfer: { readonly code: string; readonly connected: boolean; readonly message: string } | undefined,
): Answer {
  if (ask.kind === "packet" || ask.kind === "resolve") {
    const text = lines.filter((line) => !line.startsWith("code "));
    if (!lines.includes("code 0")) {
      const tooLong = text.some((line) => /message too long|too big|Frag needed/i.test(line));
      const reason =
        ask.kind === "resolve"
          ? "the name does not resolve"
          : tooLong
            ? "too long for the link"
            : "no answer within 1 s";
      return { ok: false, error: reason };
    }
    const values =
      ask.kind === "resolve" ? [...new Set(text.map((line) => line.split(/\s+/)[0] ?? ""))] : [String(ask.size)];
    return { ok: true, values, errors: [] };
  }
  if (transfer === undefined) {
    return { ok: false, error: "the request was not made" };
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
  if (ask.kind === "clientip" && ask.protocol === "TCP") {
    return { ok: true, values: [addressOf(body)], errors: [] };
  }
  try {
    const dialled = JSON.parse(body) as { responses?: string[]; errors?: string[] };
    const values = (dialled.responses ?? []).map((text) => (ask.kind === "clientip" ? addressOf(text) : text));
    const errors = (dialled.errors ?? []).map((text) => text.replace(/^.*?err:'?/, "").replace(/'$/, ""));
    return values.length > 0 ? { ok: true, values, errors } : { ok: false, error: errors[0] ?? "no answer" };
  } catch {
    return { ok: false, error: `unexpected answer: ${body.slice(0, 80)}` };
  }
}

function addressOf(remote: string): string {
  return remote.replace(/:[0-9]+$/, "").replace(/^\[(::ffff:)?(.*)\]$/, "$2");
}
