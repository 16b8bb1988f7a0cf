import { selectorText } from "../../kubernetes/selector";
import { serviceTrouble } from "../broken";
import { type Cause, STALE_RULES } from "../cause/cause";
import type { CheckedService } from "../../service/checked";
import { labelProbes, membersOf, podPath, waitForMembers } from "../members";
import { MEMBER_LABEL, PORTS, PROBE_SERVICE } from "../probes";
import { nameOf, nodeOf, type Request, triesFor } from "../request";
import { podNames, type SeenService, seenService } from "../topology";
import { withUndo } from "../undo";
import { waitFor } from "../wait";
import { type Claim, type Proving, sorted, type Verdict } from "./claim";

/** The pods behind a Service are the ready ones that its selector matches, now and when a pod's labels change. */
export const endpoints = {
  id: "endpoints",
  title: "endpoints follow the selector",
  waitsOn: [],
  prepare: async (client, pods, coverage) => {
    const own = pods.filter(({ probe }) => probe === "probe-a");
    const nodes = new Set(coverage.members());
    await labelProbes(client, own, ({ node }) => ({ [MEMBER_LABEL]: nodes.has(node) ? "yes" : null }));
    await waitForMembers(client, PROBE_SERVICE, podNames(own.filter(({ node }) => nodes.has(node))));
  },
  requests: () => [],
  cause: ({ source, target, seen }, { topology }) =>
    topology.input.services.some((declared) => `${declared.namespace}/${declared.name}` === source) &&
    !/^without |^put back$|^before$/.test(target)
      ? { place: `Service ${source}`, hop: "service", text: `its selector is declared as ${target}, and ${seen}` }
      : stillLeads(source, target, seen),
  judge: ({ topology }) =>
    topology.input.services.map((declared) =>
      judgeDeclared(declared, seenService(topology, `${declared.namespace}/${declared.name}`)),
    ),
  prove: async (proving) => {
    proving.say("taking a pod out of its service and putting it back");
    return judgeRelabelling(await relabel(proving), proving.verdictsOf("service"));
  },
} as const satisfies Claim;

/** The cause where a node still leads to a pod that was taken out of the check's Service. */
function stillLeads(source: string, target: string, seen: string): Cause | undefined {
  const [, pod] = /^without (\S+)$/.exec(target) ?? [];
  return pod !== undefined && source !== PROBE_SERVICE && seen.includes(pod)
    ? { place: nodeOf(source), hop: "service", text: STALE_RULES, example: `to ${PROBE_SERVICE} ${target}` }
    : undefined;
}

/** What is said of a Service that somebody deleted: the state still has it, so that an update alone does not make it again. */
const NOT_THERE = "the Service is not there; `pulumi refresh` and another update make it again";

function judgeDeclared(declared: CheckedService, service: SeenService | undefined): Verdict {
  const name = `${declared.namespace}/${declared.name}`;
  const { pods, endpoints: members, selector } = service ?? { pods: [], endpoints: [], selector: undefined };
  const wanted = text(declared.selector);
  const which = declared.publishNotReadyAddresses ? "" : "ready ";
  const same = pods.length > 0 && sorted(pods) === sorted(members);
  const other = selector && text(selector) !== wanted ? `it selects ${text(selector)}; ` : "";
  const seen = service ? `${other}endpoints are ${sorted(members)}` : NOT_THERE;
  return {
    source: name,
    target: wanted,
    status: same ? "passed" : "failed",
    expected: `endpoints are the ${which}pods with ${wanted}: ${pods.length > 0 ? sorted(pods) : "at least one"}`,
    seen,
  };
}

function text(selector: Readonly<Record<string, string>>): string {
  return selectorText(selector).split(",").sort().join(",");
}

/** What came of taking one pod out of the check's Service and putting it back. */
export interface Relabelling {
  /** The pod that was taken out. */
  readonly pod: string;
  /** All pods of the Service, and its endpoints before, while the pod was out, and after. */
  readonly members: readonly string[];
  readonly before: readonly string[];
  readonly during: readonly string[];
  readonly after: readonly string[];
  /** Names that answered each node's requests while the pod was out, by node; undefined when none did. */
  readonly answered: Readonly<Record<string, readonly string[] | undefined>>;
}

/** Takes the first `probe-a` out of the check's Service by its label, looks, and puts it back whatever happens. */
async function relabel(proving: Proving): Promise<Relabelling> {
  const { client, topology } = proving;
  const members = podNames(topology.members);
  const pod = topology.members[0]?.name ?? "";
  const rest = members.filter((name) => name !== pod);
  const mark = (value: string | null): Promise<void> =>
    client.patch(podPath(pod), { metadata: { labels: { [MEMBER_LABEL]: value } } });
  const before = await membersOf(client, PROBE_SERVICE);
  const { during, answered } = await withUndo(
    () => mark("yes"),
    async () => {
      await mark(null);
      return {
        during: await waitForMembers(client, PROBE_SERVICE, rest),
        answered: await askTheRest(proving, members.length, rest),
      };
    },
  );
  return { pod, members, before, during, after: await waitForMembers(client, PROBE_SERVICE, members), answered };
}

/** Seconds that a node's service proxy may take to follow the endpoints. */
const PROXY_SECONDS = 15;

/** Asks the check's Service on every node where it answered before, until nobody but `rest` does. */
async function askTheRest(
  { topology, requestsOf, answerTo, ask }: Proving,
  members: number,
  rest: readonly string[],
): Promise<Relabelling["answered"]> {
  const address = topology.input.probeServices[PROBE_SERVICE] ?? "";
  const asks = topology.nodes.map((node, index): Request => ({
    id: `r${String(index)}`,
    claim: "endpoints",
    node,
    probe: "probe-b",
    source: node,
    target: PROBE_SERVICE,
    ask: { kind: "hostnames", protocol: "TCP", address, port: PORTS.service.TCP, tries: triesFor(members) },
  }));
  const working = asks.filter(({ node }) => {
    const earlier = requestsOf("service").find((request) => request.node === node && request.probe === "probe-b");
    // A run of a part does not ask it before.
    return earlier === undefined || answerTo(earlier).ok;
  });
  let answered: Relabelling["answered"] = {};
  await waitFor(async () => {
    const round = await ask(working);
    answered = Object.fromEntries(
      asks.map(({ id, node }) => {
        const answer = round.get(id);
        return [node, answer?.ok ? [...new Set(answer.values)].sort() : undefined];
      }),
    );
    return working.every(({ node }) => {
      const names = answered[node];
      return rest.length === 0 ? names === undefined : names?.every((name) => rest.includes(name)) === true;
    });
  }, PROXY_SECONDS);
  return answered;
}

/** Judges what came of the relabelling; a node where the Service did not answer before is blocked, not failed. */
export function judgeRelabelling(seen: Relabelling, service: readonly Verdict[]): Verdict[] {
  const rest = seen.members.filter((name) => name !== seen.pod);
  const stages: [string, readonly string[], readonly string[]][] = [
    ["before", seen.members, seen.before],
    [`without ${seen.pod}`, rest, seen.during],
    ["put back", seen.members, seen.after],
  ];
  const slices = stages.map(([target, expected, found]): Verdict => ({
    source: PROBE_SERVICE,
    target,
    status: sorted(expected) === sorted(found) ? "passed" : "failed",
    expected: `endpoints ${sorted(expected)}`,
    seen: `endpoints ${sorted(found)}`,
  }));
  const answers = Object.entries(seen.answered).map(([node, names]) =>
    judgeAnswer(node, names, rest, seen.pod, serviceTrouble(service, node, "probe-b")),
  );
  return [...slices, ...answers];
}

function judgeAnswer(
  node: string,
  names: readonly string[] | undefined,
  rest: readonly string[],
  pod: string,
  cause: Verdict | undefined,
): Verdict {
  const foreign = (names ?? []).some((name) => !rest.includes(name));
  const good = rest.length === 0 ? (names ?? []).length === 0 : names !== undefined && !foreign;
  const blocked = !good && !foreign && cause !== undefined;
  return {
    source: nameOf(node, "probe-b"),
    target: `without ${pod}`,
    protocol: "TCP",
    status: good ? "passed" : blocked ? "blocked" : "failed",
    expected: `answers from ${sorted(rest)} only`,
    seen: blocked ? `service from ${cause.source} ${cause.status}` : `answers from ${sorted(names ?? [])}`,
  };
}
