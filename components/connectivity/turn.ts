import { randomBytes } from "node:crypto";
import { z } from "zod";
import { messageOf } from "../args/validate";
import { waitUntil } from "../args/wait";
import { ApiError, ifThere, type KubeClient, unlessConflict } from "../kubernetes/client";
import { PROBE_NAMESPACE } from "./probes";
import { type Say, SILENCE_MS } from "./ready";
import { withUndo } from "./undo";

const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${PROBE_NAMESPACE}/leases`;
const NAME = "check";
const LEASE = `${LEASES}/${NAME}`;

/** Seconds after which a run that shows no more sign of life has lost its turn, and seconds between two such signs. */
const [LIFE, SIGN] = [20, 5];

/** Seconds that a run waits for its turn. */
const PATIENCE = 900;

const lease = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z.looseObject({ holderIdentity: z.string().nullish(), renewTime: z.string().nullish() }),
});

/**
 * Does a run's work while no other run is at it: each changes labels and policies of the probes that all share. Runs take turns by a
 * Lease (https://kubernetes.io/docs/concepts/architecture/leases/); that of a run which was killed is taken over after 20 s.
 */
export async function inTurn<T>(client: KubeClient, say: Say, work: () => Promise<T>): Promise<T> {
  return withUndo(await takeTurn(client, say), work);
}

/**
 * Waits for a run's turn and returns how it is given back, which throws where another run took it meanwhile: what was seen since then
 * may be that one's doing. Throws the API server's own error where the namespace is not there.
 */
export async function takeTurn(client: KubeClient, say: Say): Promise<() => Promise<void>> {
  const holder = randomBytes(6).toString("hex");
  await take(client, holder, say);
  let lost = false;
  const signs = setInterval(() => {
    renew(client, holder).then(
      (own) => (lost ||= !own),
      // It is tried again in a moment.
      () => undefined,
    );
  }, 1000 * SIGN);
  signs.unref();
  return async () => {
    clearInterval(signs);
    const now = await read(client).catch(() => undefined);
    if (lost || (now && now.spec.holderIdentity !== holder)) {
      throw new Error(
        `another run of the check took this one's turn, which had shown no sign of life for ${String(LIFE)} s; run it again`,
      );
    }
    await client.delete(LEASE).catch(() => undefined);
  };
}

async function take(client: KubeClient, holder: string, say: Say): Promise<void> {
  let seen = "";
  let since = Date.now();
  let answered = Date.now();
  const what = "this run's turn has not come";
  await waitUntil({ what, seconds: PATIENCE, everyMs: 500, quietMs: 0, say }, async () => {
    try {
      if (await create(client, holder)) {
        return { value: true };
      }
      const now = await read(client);
      answered = Date.now();
      const sign = `${now?.spec.holderIdentity ?? ""} ${now?.spec.renewTime ?? ""}`;
      // By this machine's own clock: the other's may be another.
      since = sign === seen ? since : Date.now();
      seen = sign;
      const dead = Date.now() - since > 1000 * LIFE;
      if (now && dead && (await takeOver(client, holder, now.metadata.resourceVersion))) {
        return { value: true };
      }
      return { reason: "another run of the check is at work in this cluster" };
    } catch (error) {
      if (isOfNamespace(error) || Date.now() - answered > SILENCE_MS) {
        throw error;
      }
      return { reason: messageOf(error) };
    }
  });
}

/** Whether it is refused because the namespace is gone or on its way out. Anything else an API server may say that has just started. */
export function isOfNamespace(error: unknown): boolean {
  // What is made in a namespace on its way out is forbidden, and in one that is gone not found.
  return error instanceof ApiError && (error.code === 404 || error.message.includes("being terminated"));
}

/** The time as the API has it in a Lease, with microseconds. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}

function spec(holder: string): object {
  const now = microTime();
  return { holderIdentity: holder, leaseDurationSeconds: LIFE, acquireTime: now, renewTime: now };
}

function create(client: KubeClient, holder: string): Promise<boolean> {
  const metadata = { name: NAME, namespace: PROBE_NAMESPACE };
  return unlessConflict(
    client.create(LEASES, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec: spec(holder) }),
  );
}

function takeOver(client: KubeClient, holder: string, resourceVersion: string): Promise<boolean> {
  return unlessConflict(client.patch(LEASE, { metadata: { resourceVersion }, spec: spec(holder) }));
}

/** Shows that the run lives; false where its turn is another's by now. */
async function renew(client: KubeClient, holder: string): Promise<boolean> {
  const now = await read(client);
  if (now === undefined || now.spec.holderIdentity !== holder) {
    return now === undefined;
  }
  const { resourceVersion } = now.metadata;
  await unlessConflict(client.patch(LEASE, { metadata: { resourceVersion }, spec: { renewTime: microTime() } }));
  return true;
}

function read(client: KubeClient): Promise<z.output<typeof lease> | undefined> {
  return ifThere(client.get(LEASE, lease));
}
