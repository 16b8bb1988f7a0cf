import { z } from "zod";
import { waitUntil } from "../args/wait";
import { ApiError, ifThere, type KubeClient, unlessConflict } from "../kubernetes/client";
import { daemonSetSpec, namespaceLabels, probeServices } from "./objects";
import { PROBE_NAMESPACE, PROBES } from "./probes";
import type { Say } from "./ready";
import { isOfNamespace, takeTurn } from "./turn";
import { withUndo } from "./undo";

/** What says that a run of its own made the namespace, and may take it away. */
const OWNER = "podnet-verify";

/** Seconds that a namespace which is on its way out may take to be gone. */
const GONE_SECONDS = 120;

const PATH = `/api/v1/namespaces/${PROBE_NAMESPACE}`;

const namespace = z.looseObject({
  metadata: z.looseObject({
    labels: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
});

/**
 * Does work with the check's objects in the cluster, and takes those away again that it made: all, or none where a stack has the
 * check there. Throws where the namespace is somebody else's.
 */
export async function withObjects<T>(client: KubeClient, image: string, say: Say, work: () => Promise<T>): Promise<T> {
  const { own, release } = await entered(client, say);
  const undo = async (): Promise<void> => {
    try {
      if (own) {
        say("taking the probes away");
        await client.delete(PATH);
      }
    } finally {
      await release();
    }
  };
  return withUndo(undo, async () => {
    if (own) {
      say("making the probes");
      await makeObjects(client, image);
    }
    return work();
  });
}

/** Makes the namespace where no stack has it, and waits for the run's turn in it; another run may take the namespace away meanwhile. */
async function entered(client: KubeClient, say: Say): Promise<{ own: boolean; release: () => Promise<void> }> {
  for (;;) {
    const { own, created } = await made(client, say);
    try {
      return { own, release: await takeTurn(client, say) };
    } catch (error) {
      if (isOfNamespace(error)) {
        continue;
      }
      if (created && error instanceof ApiError) {
        await client.delete(PATH);
      }
      throw error;
    }
  }
}

/** Whose the namespace is: the run's own to take away, or a stack's; and whether the run has just made it. */
interface Made {
  readonly own: boolean;
  readonly created: boolean;
}

/** Makes the namespace where it is not there. */
function made(client: KubeClient, say: Say): Promise<Made> {
  const what = `the namespace ${PROBE_NAMESPACE} of the last run is on its way out`;
  return waitUntil<Made>({ what, seconds: GONE_SECONDS, everyMs: 500, say }, async () => {
    const there = await ifThere(client.get(PATH, namespace));
    if (!there) {
      await unlessConflict(
        client.create("/api/v1/namespaces", {
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name: PROBE_NAMESPACE, labels: namespaceLabels(OWNER) },
        }),
      );
      return { value: { own: true, created: true } };
    }
    const owner = there.metadata.labels["app.kubernetes.io/managed-by"];
    if (owner !== OWNER && owner !== "podnet") {
      throw new Error(
        `the namespace ${PROBE_NAMESPACE} is somebody else's: it does not bear the label app.kubernetes.io/managed-by=podnet; the check needs that name`,
      );
    }
    return there.metadata.deletionTimestamp === undefined
      ? { value: { own: owner === OWNER, created: false } }
      : { reason: "what is in it still ends" };
  });
}

async function makeObjects(client: KubeClient, image: string): Promise<void> {
  const metadata = (name: string) => ({ name, namespace: PROBE_NAMESPACE });
  await Promise.all([
    ...PROBES.map((probe) =>
      unlessConflict(
        client.create(`/apis/apps/v1/namespaces/${PROBE_NAMESPACE}/daemonsets`, {
          apiVersion: "apps/v1",
          kind: "DaemonSet",
          metadata: metadata(probe),
          spec: daemonSetSpec(probe, image),
        }),
      ),
    ),
    ...probeServices().map(({ name, spec }) =>
      unlessConflict(
        client.create(`${PATH}/services`, { apiVersion: "v1", kind: "Service", metadata: metadata(name), spec }),
      ),
    ),
  ]);
}
