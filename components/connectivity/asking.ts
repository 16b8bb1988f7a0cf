import { setTimeout as sleep } from "node:timers/promises";
import { grouped } from "../args/grouped";
import { own } from "../args/own";
import type { Discovered } from "./discover";
import { type Answer, isSilence, parseAnswers, probeParameters } from "./driver";
import { mergedReach, unanswered } from "./reach";
import { lostOf, type Request, triesFor } from "./request";
import type { Shell } from "../machine/shell";
import { askNode } from "../node/ask";

/** Makes requests and returns their answers by id. */
export type AskOnce = (requests: readonly Request[]) => Promise<Map<string, Answer>>;

/** Pauses before each round of asking, in milliseconds. */
const ROUNDS = [0, 300, 1000];

/** Further pauses while a node has only just started: its kube-proxy writes its rules some seconds after pods answer again. */
const STARTING_ROUNDS = [3000, 5000];
/** Further pauses while somebody answers who should not: kube-proxy takes up to some seconds to follow a Service. */
const STRANGER_ROUNDS = [1500, 2500];
/** Seconds for which a node counts as just started. */
const STARTING = 120;

/** Seconds that a node may take for all its requests. */
const NODE_SECONDS = 70;

/** Makes requests by way of the nodes' shells, each once. */
export function asker(shells: ReadonlyMap<string, Shell>, seen: Discovered["seen"]): AskOnce {
  return async (requests) => {
    const answers = new Map<string, Answer>();
    await Promise.all(
      [...grouped(requests, ({ node }) => node)].map(async ([node, asked]) => {
        const shell = shells.get(node);
        const pids = Object.fromEntries((own(seen, node) ?? []).map(({ probe, pid }) => [probe, pid]));
        const lines = shell ? await askNode(shell, "probe", probeParameters(asked, pids), NODE_SECONDS) : [];
        // Each node's as they come, so that its text is not kept.
        parseAnswers(asked, lines).forEach((answer, id) => answers.set(id, answer));
      }),
    );
    return answers;
  };
}

/**
 * Makes all requests, and those without a good answer twice more: one lost packet is no broken network, and kube-proxy takes up
 * to a second to follow a Service. Twice more again where a node started less than two minutes ago (`up` is the seconds since), or
 * where somebody answers who should not.
 */
export async function askAll(
  askOnce: AskOnce,
  requests: readonly Request[],
  up = Infinity,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  const known = new Map(requests.map((request) => [request.id, request]));
  const starting = up < STARTING;
  let pending: readonly Request[] = requests;
  for (const [round, pause] of [...ROUNDS, ...(starting ? STARTING_ROUNDS : STRANGER_ROUNDS)].entries()) {
    if (pending.length === 0) {
      break;
    }
    await sleep(pause);
    for (const [id, answer] of await askOnce(pending)) {
      answers.set(id, together(known.get(id), answers.get(id), answer));
    }
    const late = round + 1 >= ROUNDS.length && !starting;
    pending = requests
      .filter((request) => {
        const answer = answers.get(request.id);
        return late ? strangersIn(request, answer).length > 0 : worthAsking(request, answer, round);
      })
      .map((request) => {
        const answer = answers.get(request.id);
        return strangersIn(request, answer).length > 0 ? thoroughly(request) : withoutAnswered(request, answer);
      });
  }
  return answers;
}

/** Names in an answer of those who should not give it. */
function strangersIn({ only }: Request, answer: Answer | undefined): string[] {
  return only !== undefined && answer?.ok ? answer.values.filter((name) => !only.includes(name)) : [];
}

/** The request, without those of many who answered. */
function withoutAnswered(request: Request, answer: Answer | undefined): Request {
  const { ask } = request;
  return ask.kind === "reach" && answer ? { ...request, ask: { ...ask, to: unanswered(ask, answer) } } : request;
}

/** The request, made so often that whoever stays behind a Service without belonging there shows again. */
function thoroughly(request: Request): Request {
  const { ask, only = [] } = request;
  return ask.kind === "hostnames"
    ? { ...request, ask: { ...ask, tries: Math.max(ask.tries, triesFor(only.length + 1)) } }
    : request;
}

/**
 * What is known after a further answer. An answer that came counts, whatever did not come before or after it. Who answered
 * before and should not have counts no more once others answer; of what one pod alone may answer the last time counts.
 */
function together(request: Request | undefined, before: Answer | undefined, answer: Answer): Answer {
  if (request?.ask.kind === "reach" && before) {
    return mergedReach(request.ask, before, answer);
  }
  if (request?.silenceStands && before?.ok === false && !answer.ok && isSilence(answer.error)) {
    // One that is expected takes nothing back of a refusal.
    return before;
  }
  if (request?.atMost !== undefined || !before?.ok) {
    return answer;
  }
  if (!answer.ok) {
    return before;
  }
  const strangers = request ? strangersIn(request, before) : [];
  const values = before.values.filter((name) => !strangers.includes(name));
  return { ok: true, values: [...values, ...answer.values], errors: [...before.errors, ...answer.errors] };
}

/** Whether asking again can help: an answer that broke a rule is an answer, and stands. */
function worthAsking(request: Request, answer: Answer | undefined, round: number): boolean {
  const { ask, answers = 1, atMost = Infinity, silenceStands } = request;
  if (ask.kind === "loss") {
    return round === 0 && (!answer?.ok || answer.values.some((value) => lostOf(value) > 0));
  }
  if (ask.kind === "packet" || ask.kind === "fragments") {
    // A lost ping is as good as a lost request: it gets a second chance, and no third.
    return round === 0 && answer?.ok === false && answer.error.startsWith("no answer");
  }
  if (silenceStands && answer?.ok === false && isSilence(answer.error)) {
    return false;
  }
  if (!answer?.ok) {
    return true;
  }
  if (ask.kind === "reach") {
    return unanswered(ask, answer).length > 0;
  }
  const { size } = new Set(answer.values);
  return size < answers || size > atMost || strangersIn(request, answer).length > 0;
}
