import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { programFolder } from "./programFiles";

/** What is declared of a machine, by the names that the program's preflight asks by; a list gives its name once for each value. */
export const asked = z.record(
  z.string().regex(/^[a-z][a-z-]*$/),
  z.union([z.string().regex(/^[^\t\n]*$/), z.array(z.string().regex(/^[^\t\n]*$/))]),
);
/** What is declared of a machine. */
export type Asked = z.output<typeof asked>;

/** Parts of the program that the preflight is made of, in the order in which they are read. */
const PREFLIGHT_PARTS = ["obstacles", "overruled", "reach", "fitness"];

/** The preflight's own text: the parts that the program shares with it, then itself. */
export function preflightText(folder = programFolder()): string {
  return [...PREFLIGHT_PARTS.map((part) => `lib/${part}.sh`), "preflight"]
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("");
}

/** Rows of the preflight's questions that say what is declared of the machine. */
export function askedRows(declared: Asked): string[][] {
  return Object.entries(declared).flatMap(([name, value]) => [value].flat().map((text) => ["ask", name, text]));
}

/**
 * Whom a machine has to reach, as `NODE ADDRESS PORT` lines: a worker the API server, and the control plane the kubelets of the
 * workers that are asked with it. The ports are Kubernetes' own (its page "Ports and Protocols").
 */
export function peersOf(
  name: string,
  control: string,
  asked: readonly string[],
  declared: Readonly<Record<string, Asked>>,
): string[] {
  const peers = name === control ? asked.filter((other) => other !== control) : [control];
  return peers.flatMap((peer) => {
    const ip = declared[peer]?.["internal-ip"];
    return typeof ip === "string" ? [`${peer} ${ip} ${name === control ? "10250" : "6443"}`] : [];
  });
}

/** The nodes that are a node's next hops where they route to each other's pods themselves, as `NODE ADDRESS` lines. */
export function nextHopsOf(name: string, declared: Readonly<Record<string, Asked>>): string[] {
  return Object.entries(declared).flatMap(([other, { "internal-ip": ip }]) =>
    other !== name && typeof ip === "string" ? [`${other} ${ip}`] : [],
  );
}

/** What a machine answered to the preflight. */
export interface MachineAnswer {
  /** What is in the way on the machine, each with its remedy. */
  readonly findings: readonly string[];
  /** What it lacks of what else was asked for. */
  readonly missing: readonly string[];
  /** Identity of the machine's system, as in /etc/machine-id. */
  readonly machineId: string;
  readonly hostname: string;
  /** Whether it is this very node already. */
  readonly own: boolean;
  /** Milliseconds by which its clock is ahead of this machine's. */
  readonly ahead: number;
}

/** Reads the lines of an answer, which came between two moments of this machine's clock in milliseconds. */
export function readAnswer(lines: readonly string[], before: number, after: number): MachineAnswer {
  const facts = new Map<string, string>();
  const findings: string[] = [];
  const missing: string[] = [];
  for (const line of lines) {
    const [, name = "", value = ""] = /^(fact [a-z-]+|machine) (.*)$/.exec(line) ?? [];
    if (name === "") {
      missing.push(line);
    } else if (name === "machine") {
      findings.push(value);
    } else {
      facts.set(name.slice("fact ".length), value);
    }
  }
  const clock = Number(facts.get("clock") ?? NaN);
  return {
    findings,
    missing,
    machineId: facts.get("machine-id") ?? "",
    hostname: facts.get("hostname") ?? "",
    own: facts.get("mark") === "own",
    ahead: Number.isFinite(clock) ? Math.round(clock - (before + after) / 2) : 0,
  };
}

/** Seconds by which the clocks of two nodes may differ. */
const CLOCK_SECONDS = 10;

/** Seconds by which the control plane's clock may be ahead of the one here: kubeadm dates certificates back by five minutes. */
const EARLY_SECONDS = 240;

/**
 * What is wrong between machines: one machine under two names, two with one host name, a clock that is off from that of `first`,
 * or whose certificates this machine would not take yet. By the name of the node.
 */
export function betweenMachines(
  answers: Readonly<Record<string, Pick<MachineAnswer, "machineId" | "hostname"> & { readonly ahead?: number }>>,
  first: string,
): Record<string, string[]> {
  const findings: Record<string, string[]> = {};
  const ids = new Map<string, string>();
  const hostnames = new Map<string, string>();
  const reference = answers[first]?.ahead;
  for (const [name, { machineId, hostname, ahead }] of Object.entries(answers)) {
    const found: string[] = [];
    const [sameId, sameHostname] = [ids.get(machineId), hostnames.get(hostname)];
    if (machineId !== "" && sameId !== undefined) {
      found.push(
        `its /etc/machine-id is also node ${sameId}'s: it is the same machine, or a copy of it. A machine is one node; ` +
          "give a copy an identity of its own (rm /etc/machine-id; systemd-machine-id-setup; reboot)",
      );
    } else if (hostname !== "" && sameHostname !== undefined) {
      found.push(
        `its host name ${hostname} is also node ${sameHostname}'s; give it another one (hostnamectl set-hostname NAME)`,
      );
    }
    ids.set(machineId, sameId ?? name);
    hostnames.set(hostname, sameHostname ?? name);
    const seconds = Math.round(((ahead ?? 0) - (reference ?? 0)) / 1000);
    if (name === first && ahead !== undefined && ahead > EARLY_SECONDS * 1000) {
      found.push(
        `its clock is ${String(Math.round(ahead / 1000))} s ahead of that of the machine that runs podnet, by which its certificates would not ` +
          "be valid yet; set both by a time service (systemd-timesyncd or chrony)",
      );
    }
    if (ahead !== undefined && reference !== undefined && Math.abs(seconds) > CLOCK_SECONDS) {
      found.push(
        `its clock is ${String(Math.abs(seconds))} s ${seconds > 0 ? "ahead of" : "behind"} node ${first}'s, and certificates ` +
          "are valid by the clock; set both by a time service (systemd-timesyncd or chrony)",
      );
    }
    findings[name] = found;
  }
  return findings;
}

/** One error for all that is in the way of all machines, by node, or undefined. */
export function machineProblem(findings: Readonly<Record<string, readonly string[]>>): string | undefined {
  const byText = new Map<string, string[]>();
  for (const [node, lines] of Object.entries(findings)) {
    for (const line of lines) {
      byText.set(line, [...(byText.get(line) ?? []), node]);
    }
  }
  if (byText.size === 0) {
    return undefined;
  }
  const rows = [...byText].map(([line, nodes]) => `  ${nodes.join(", ")}: ${line}`);
  return `these machines cannot be the nodes that are declared; nothing on any machine was touched:\n${rows.join("\n")}`;
}
