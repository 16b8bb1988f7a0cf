import type { Answer, Ask, ProbePod, Request } from "./request";

/** What is asked of many pods at once. */
export type Reach = Extract<Ask, { readonly kind: "reach" }>;

/** The nodes that a request is about, beside the one that asks: one, many, or none (an empty name). */
export function targetNodesOf({ ask, targetNode = "" }: Pick<Request, "ask" | "targetNode">): string[] {
  return ask.kind === "reach" ? ask.to.map(({ node }) => node) : [targetNode];
}

/** What came of one pod in a request to many. */
export function outcomeAt(answer: Answer, { ip }: ProbePod): Answer {
  return answer.except?.get(ip) ?? answer;
}

/** One answer of what came of each pod: that of most, and of each of the others by its address. */
export function answerOfAll(to: readonly ProbePod[], outcomeOf: (pod: ProbePod) => Answer): Answer {
  const counts = new Map<string, { readonly answer: Answer; count: number }>();
  const keys = to.map((pod) => {
    const answer = outcomeOf(pod);
    const key = answer.ok ? answer.values.join() : `: ${answer.error}`;
    const known = counts.get(key) ?? { answer, count: 0 };
    known.count += 1;
    counts.set(key, known);
    return key;
  });
  const [most] = [...counts].sort(([, a], [, b]) => b.count - a.count);
  if (!most) {
    return { ok: true, values: [], errors: [] };
  }
  const [key, { answer }] = most;
  const others = to.flatMap(({ ip }, index) => {
    const other = counts.get(keys[index] ?? "")?.answer;
    return keys[index] === key || !other ? [] : [[ip, other] as const];
  });
  return { ...answer, ...(others.length > 0 && { except: new Map(others) }) };
}

/** The pods of a request to many that did not answer. */
export function unanswered({ to }: Reach, answer: Answer): ProbePod[] {
  return answer.ok && answer.except === undefined ? [] : to.filter((pod) => !outcomeAt(answer, pod).ok);
}

/** What is known of a request to many after those that did not answer were asked again: who answered once has answered. */
export function mergedReach({ to }: Reach, before: Answer, again: Answer): Answer {
  return answerOfAll(to, (pod) => {
    const earlier = outcomeAt(before, pod);
    return earlier.ok ? earlier : outcomeAt(again, pod);
  });
}
