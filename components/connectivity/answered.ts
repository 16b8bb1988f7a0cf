import { type Verdict, verdict } from "./claims/claim";
import type { Facts } from "./facts";
import { outcomeAt, type Reach } from "./reach";
import { type Answer, nameOf, type ProbePod, type Request } from "./request";

/** Of what does not pass in one request to many pods, so many are told one by one, and the rest together. */
export const NAMED = 50;

/** The verdicts on requests that have to be answered, whatever the answer says. */
export function judgeAnswered(requests: readonly Request[], { answerTo }: Facts): Verdict[] {
  const judge = (request: Request, answer: Answer): Verdict =>
    verdict(request, answer.ok ? "passed" : "failed", "an answer", answer.ok ? "an answer" : answer.error);
  return judgeEach(requests, answerTo, judge);
}

/** The verdicts on requests, each on what came of it; a request to many pods is judged as {@link eachOf} says. */
export function judgeEach(
  requests: readonly Request[],
  answerTo: Facts["answerTo"],
  judge: (request: Request, answer: Answer) => Verdict,
): Verdict[] {
  return requests.flatMap((request) => {
    const { ask } = request;
    const answer = answerTo(request);
    return ask.kind === "reach" ? eachOf(request, ask, answer, judge) : [judge(request, answer)];
  });
}

/**
 * Verdicts on a request to many pods, each judged as if it were asked alone. Those that pass are one verdict with their number; of the
 * others the first are told one by one, and the rest together.
 */
function eachOf(
  request: Request,
  ask: Reach,
  answer: Answer,
  judge: (request: Request, answer: Answer) => Verdict,
): Verdict[] {
  const passed: ProbePod[] = [];
  const others: ProbePod[] = [];
  const passes = new Map<Answer, boolean>();
  for (const pod of ask.to) {
    const outcome = outcomeAt(answer, pod);
    const known = passes.get(outcome) ?? judge(requestForOne(request, ask, pod, 0), outcome).status === "passed";
    passes.set(outcome, known);
    (known ? passed : others).push(pod);
  }
  const one = (pod: ProbePod, index: number): Verdict =>
    judge(requestForOne(request, ask, pod, index), outcomeAt(answer, pod));
  const together = (pods: readonly ProbePod[], words: string): Verdict[] => {
    const [first] = pods;
    if (first === undefined) {
      return [];
    }
    const target = `${String(pods.length)} ${words}`;
    return [
      { ...one(first, 0), target, count: pods.length, request: { ...request, target, ask: { ...ask, to: pods } } },
    ];
  };
  return [
    ...together(passed, "pods of other nodes"),
    ...others.slice(0, NAMED).map(one),
    ...together(others.slice(NAMED), "more pods of other nodes"),
  ];
}

/** The request for one pod of many. */
export function requestForOne(
  request: Request,
  { protocol, port }: Reach,
  { node, probe, ip }: ProbePod,
  index: number,
): Request {
  return {
    ...request,
    id: `x${request.id.slice(1)}${String(index).padStart(4, "0")}`,
    targetNode: node,
    target: nameOf(node, probe),
    ask: { kind: "clientip", protocol, address: ip, port },
  };
}
