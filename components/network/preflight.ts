import { z } from "zod";
import { shortHash } from "../args/hash";
import { own } from "../args/own";
import { packed, unpacked } from "../args/packed";
import { messageOf } from "../args/validate";
import { dialTable } from "../machine/dialTable";
import type { Dialled } from "../machine/dialled";
import { addressOf } from "../machine/presence";
import { portTrouble } from "../machine/reach";
import { Shell } from "../machine/shell";
import { answerLines } from "../node/parameters";
import {
  asked,
  betweenMachines,
  type MachineAnswer,
  machineProblem,
  nextHopsOf,
  peersOf,
  preflightText,
  readAnswer,
} from "../node/preflight";
import { FEATURES, type FeatureId, featureProblem, preflightQuestions } from "./features";
import { keptMachine, type KeptMachine, movedControlPlane, movedMachines, unreachableMachines } from "./kept";

/** What the preflight reads from standard input, as JSON. Holds secrets. */
export const preflightInput = z.strictObject({
  /** Id of the network. */
  network: z.string(),
  features: z.array(z.enum(Object.keys(FEATURES) as [FeatureId, ...FeatureId[]])),
  programs: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/)),
  /** Whether the nodes are each other's next hops, so that no gateway may be between them. */
  oneLink: z.boolean(),
  nodes: dialTable,
  /** What is declared of each machine, by the name of its node. */
  declared: z.record(z.string(), asked),
  /** Nodes whose machine ends with its resource, so that nothing on it is ever undone. */
  passing: z.array(z.string()),
  /** Nodes whose machine is declared gone for good. */
  gone: z.array(z.string()),
});

/** Input of the preflight, as it is written and as it is read. */
export type PreflightRequest = z.input<typeof preflightInput>;
/** Input of the preflight, read. */
export type PreflightInput = z.output<typeof preflightInput>;

/** What the preflight prints: the machines that are fit for the network, and how each is known again. */
const preflightOutput = z.strictObject({
  network: z.string(),
  fit: z.array(z.string()),
  machines: z.record(z.string(), keptMachine).default({}),
});
/** What the preflight printed. */
export type PreflightOutput = z.output<typeof preflightOutput>;

/** Name by which a fit machine is known again: another host, host key or declaration is to be looked at anew. */
function fitId(name: string, { host, hostKey }: Dialled, declared: unknown): string {
  const text = `${host} ${hostKey} ${JSON.stringify(declared)}`;
  return `${name} ${shortHash(text)}`;
}

/** What an earlier run printed; nothing where there was none, or none that can be read. */
export function earlierOutput(text: string | undefined): PreflightOutput {
  try {
    return preflightOutput.parse(JSON.parse(unpacked(text ?? "")));
  } catch {
    return { network: "", fit: [], machines: {} };
  }
}

async function ask(
  name: string,
  ssh: Dialled,
  { features, programs, declared, oneLink }: PreflightInput,
  peer: string[],
): Promise<MachineAnswer> {
  const nonce = shortHash(`${name} ${features.join(" ")}`);
  const others = { peer, "next-hop": oneLink ? nextHopsOf(name, declared) : [] };
  const text = preflightText() + preflightQuestions(nonce, features, programs, { ...declared[name], ...others });
  return Shell.use(name, ssh, async (shell) => {
    const before = Date.now();
    const { code, stdout, stderr } = await shell.run("bash --norc -p -s", text, 30);
    const after = Date.now();
    const said = stderr.trim().slice(-300);
    if (said !== "" && code !== 0) {
      throw new Error(`${name}: ${said}${ssh.user === "root" ? "" : `; ${sudoRemedy(ssh.user)}`}`);
    }
    if (said !== "") {
      console.error(`${name}: ${said}`);
    }
    return readAnswer(answerLines(name, "preflight", nonce, stdout, "run the update again"), before, after);
  });
}

/** What an SSH user has to be allowed. sudo reads an @ in quotes only, and no file whose name has a dot. */
function sudoRemedy(user: string): string {
  const written = user.includes("@") ? `"${user}"` : user;
  return `its SSH user has to be root or to run everything by "sudo -n" without a password: echo '${written} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/podnet`;
}

/** The port of Kubernetes' API. */
const API_PORT = 6443;
/** Seconds in which the control plane has to answer there. */
const API_SECONDS = 5;

/** That this machine does not reach where the API will be, by which it makes all objects of the cluster; without a host, nothing. */
async function unreachableApi(control: string, host: string | undefined): Promise<Record<string, string[]>> {
  const { HTTPS_PROXY, https_proxy } = process.env;
  // A proxy may reach what this machine does not.
  if (host === undefined || (HTTPS_PROXY ?? https_proxy ?? "") !== "") {
    return {};
  }
  const trouble = await portTrouble(host, API_PORT, API_SECONDS);
  const port = String(API_PORT);
  return trouble === undefined
    ? {}
    : {
        [control]: [
          `the machine that runs podnet does not reach it at ${host} port ${port} (${trouble}), where Kubernetes' API will be; let TCP to that port pass between them`,
        ],
      };
}

/** Joins findings by node. */
function joined(...all: readonly Readonly<Record<string, readonly string[]>>[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [name, lines] of all.flatMap((findings) => Object.entries(findings))) {
    found[name] = [...(own(found, name) ?? []), ...lines];
  }
  return found;
}

/**
 * Asks every machine that is not known to be fit what is in the way, changing nothing, and returns how all are known again.
 * Throws one error with all that is in the way on all of them: of the network's needs, of what is declared, and of what is
 * left behind on machines that were nodes before.
 */
export async function preflight(input: PreflightInput, earlier: PreflightOutput): Promise<PreflightOutput> {
  const { network, nodes, declared, passing } = input;
  const fit = Object.entries(nodes).map(([name, ssh]) => fitId(name, ssh, declared[name]));
  const known = earlier.network === network ? earlier.fit : [];
  const isKnown = (index: number): boolean => known.includes(fit[index] ?? "");
  const names = Object.keys(nodes);
  const control = names.find((name) => declared[name]?.["role"] === "control-plane") ?? "";
  const news = names.some((_, index) => !isKnown(index));
  const toAsk = Object.entries(nodes).filter(([name], index) => !isKnown(index) || (news && name === control));
  const asking = toAsk.map(([name]) => name);
  const api = unreachableApi(control, asking.includes(control) ? own(nodes, control)?.host : undefined);
  const results = await Promise.allSettled(
    toAsk.map(
      async ([name, ssh]) => [name, await ask(name, ssh, input, peersOf(name, control, asking, declared))] as const,
    ),
  );
  const refused = results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
  if (refused.length > 0) {
    throw new Error(`cannot look at every machine; nothing on any machine was touched:\n  ${refused.join("\n  ")}`);
  }
  const answers = Object.fromEntries(
    results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])),
  );
  const machines: Record<string, KeptMachine> = Object.fromEntries(
    Object.entries(nodes).map(([name, ssh]) => [
      name,
      {
        ...addressOf(ssh),
        machineId: own(answers, name)?.machineId ?? own(earlier.machines, name)?.machineId ?? "",
        hostname: own(answers, name)?.hostname ?? own(earlier.machines, name)?.hostname ?? "",
        passing: passing.includes(name),
        controlPlane: name === control,
      },
    ]),
  );
  const ours = Object.keys(answers).filter((name) => answers[name]?.own === true);
  const problems = [
    machineProblem(
      joined(
        Object.fromEntries(Object.entries(answers).map(([name, { findings }]) => [name, findings])),
        await api,
        betweenMachines({ ...machines, ...answers }, control),
        movedMachines(earlier.machines, machines, ours),
        movedControlPlane(earlier.machines, control),
        await unreachableMachines(earlier.machines, [...names, ...input.gone]),
      ),
    ),
    featureProblem(network, Object.fromEntries(Object.entries(answers).map(([name, { missing }]) => [name, missing]))),
  ].filter((problem) => problem !== undefined);
  if (problems.length > 0) {
    throw new Error(problems.join("\n"));
  }
  return { network, fit, machines };
}

/** The command `preflight`: reads its input as JSON and prints which machines are fit. `earlier` is what it printed before. */
export async function preflightCommand(text: string, earlier: string | undefined): Promise<void> {
  const input = preflightInput.parse(JSON.parse(text));
  console.log(packed(JSON.stringify(await preflight(input, earlierOutput(earlier)))));
}
