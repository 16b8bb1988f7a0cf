import { type Look, waitUntil } from "../args/wait";
import { ifThere, type KubeClient } from "./client";
import { changesAddress, notOurs } from "./marks";
import { anyObject, type DeclaredObject, type LiveObject, objectName, objectPath } from "./object";

/** Seconds that an object may take to go after it was deleted. */
const GONE_SECONDS = 120;

/** What of the API a look takes. */
type Api = Pick<KubeClient, "get">;

/** What stands in an object's place is somebody else's. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** In what case an object is looked at. */
export interface Circumstances {
  /** Whether nothing may be waited for, since it is only a preview. */
  readonly dryRun: boolean;
  /** Marks that its resource had before it was moved, which the object may still bear. */
  readonly earlier: readonly string[];
}

/**
 * Looks at what stands in an object's place before it is made or updated. What another made is refused by name; what is on its way
 * out is waited for; what the same resource made, before it was killed or lost its state, is taken over.
 */
export async function guard(client: Api, declared: DeclaredObject, { dryRun, earlier }: Circumstances): Promise<void> {
  const live = await liveObject(client, declared);
  if (live === undefined) {
    return;
  }
  if (live.metadata.deletionTimestamp !== undefined) {
    return dryRun ? undefined : await untilGone(client, declared, live.metadata.uid);
  }
  const refused = notOurs(live, declared, earlier);
  if (refused !== undefined) {
    throw new Refused(refused);
  }
  if (dryRun && changesAddress(live, declared)) {
    // The provider's own preview would fail with the API server's words alone: it tries the new one on the old one.
    throw new Refused(
      `${objectName(declared)} has to be made anew, which changes its address: a Service with a ClusterIP cannot become headless, or ` +
        `the other way round. No preview can show it: run the update with --skip-preview, or choose another name`,
    );
  }
}

function liveObject(client: Api, declared: DeclaredObject): Promise<LiveObject | undefined> {
  return ifThere(client.get(objectPath(declared), anyObject));
}

async function untilGone(client: Api, declared: DeclaredObject, uid: string | undefined): Promise<void> {
  const waiting = {
    what: `${objectName(declared)} was deleted and is still there`,
    seconds: GONE_SECONDS,
    everyMs: 250,
  };
  await waitUntil(waiting, async (): Promise<Look<boolean>> => {
    const live = await liveObject(client, declared);
    if (live === undefined || live.metadata.uid !== uid) {
      return { value: true };
    }
    return { reason: `its finalizers are ${JSON.stringify(live.metadata["finalizers"] ?? [])}` };
  });
}
