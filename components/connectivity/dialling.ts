import type { KubeConfig } from "@kubernetes/client-node";
import { messageOf } from "../args/validate";
import { Forward, NoWay, Silent } from "../kubernetes/forward";
import { requestForOne } from "./answered";
import type { AskOnce } from "./asking";
import { type Answer, dialled, dialPath, ownPort } from "./driver";
import { PROBE_NAMESPACE } from "./probes";
import { answerOfAll } from "./reach";
import { nameOf, type ProbePod, type Request } from "./request";

/** Milliseconds that one request may take, with its way to the pod that makes it. */
const DEADLINE_MS = 3000;

/**
 * Asks by the probes' pods alone: each is told over the API server, as by `kubectl port-forward`, whom to ask, and tells what came of it.
 * Nothing runs on the nodes but the pods.
 */
export class Dialler {
  readonly #ways = new Map<string, Promise<Forward>>();

  constructor(
    private readonly config: KubeConfig,
    private readonly pods: readonly ProbePod[],
  ) {}

  /** Makes requests, each once. Throws with every pod that the API server gives no way to. */
  readonly ask: AskOnce = async (requests) => {
    const noWay = new Set<string>();
    const answers = await Promise.all(
      requests.map(async (request): Promise<[string, Answer]> => {
        try {
          return [request.id, await this.#askOne(request)];
        } catch (error) {
          if (!(error instanceof NoWay)) {
            throw error;
          }
          noWay.add(`${nameOf(request.node, request.probe)}: ${error.message}`);
          return [request.id, { ok: false, error: error.message }];
        }
      }),
    );
    if (noWay.size > 0) {
      throw new Error(`the API server gives no way to these probes:\n  ${[...noWay].sort().join("\n  ")}`);
    }
    return new Map(answers);
  };

  /** Ends the ways to the pods. */
  close(): void {
    this.#ways.forEach((way) => void way.then((forward) => forward.close()).catch(() => undefined));
  }

  async #askOne(request: Request): Promise<Answer> {
    const { node, probe, ask } = request;
    const pod = this.pods.find((candidate) => candidate.node === node && candidate.probe === probe);
    if (pod === undefined) {
      return { ok: false, error: `${nameOf(node, probe)} is not there` };
    }
    const way = await this.#wayTo(pod);
    const dial = async (path: string): Promise<string | Answer> => {
      try {
        return await way.fetch(path, DEADLINE_MS);
      } catch (error) {
        if (error instanceof NoWay) {
          throw error;
        }
        return {
          ok: false,
          error: error instanceof Silent ? error.message : `its probe broke off: ${messageOf(error)}`,
        };
      }
    };
    switch (ask.kind) {
      case "clientip":
      case "hostnames": {
        const what = ask.kind === "clientip" ? "clientip" : "hostname";
        const body = await dial(dialPath(ask, what, ask.kind === "hostnames" ? ask.tries : 1));
        return typeof body === "string" ? dialled(ask.kind, body) : body;
      }
      case "reach": {
        const answers = new Map(
          await Promise.all(
            ask.to.map(async (to, index) => [to, await this.#askOne(requestForOne(request, ask, to, index))] as const),
          ),
        );
        return answerOfAll(ask.to, (to) => answers.get(to) ?? { ok: false, error: "the request was not made" });
      }
      case "connect": {
        const body = await dial(dialPath(ask, "hostname", 1));
        return typeof body === "string" ? connected(dialled("hostnames", body)) : body;
      }
      default:
        return { ok: false, error: `pods alone cannot ask for ${ask.kind}` };
    }
  }

  #wayTo({ name, probe }: ProbePod): Promise<Forward> {
    const way = this.#ways.get(name) ?? Forward.open(this.config, PROBE_NAMESPACE, name, ownPort(probe));
    this.#ways.set(name, way);
    return way;
  }
}

/** Whether a connection came about, by what came of a request over it: somebody who speaks no HTTP is somebody. */
function connected(answer: Answer): Answer {
  return answer.ok || /malformed HTTP|EOF$|connection reset/.test(answer.error)
    ? { ok: true, values: ["connected"], errors: [] }
    : answer;
}
