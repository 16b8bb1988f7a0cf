import { setTimeout as sleep } from "node:timers/promises";
import { ApiError, type KubeClient } from "./client";
import { isFixedOtherwise, notOurs, OWNER_MARK } from "./marks";
import { anyObject, type DeclaredObject, type LiveObject, objectName, objectPath } from "./object";

/** Seconds that an object may take to go after it was deleted. */
const GONE_SECONDS = 120;

/** What of the API a look takes. */
type Api = Pick<KubeClient, "get" | "delete">;

/** What stands in an object's place is somebody else's. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/**
 * Looks at what stands in an object's place before it is created. What another made is refused by name; what is on its way out
 * is waited for; what the same resource made, before it was killed or lost its state, stays, unless it cannot become what is declared.
 */
export async function beforeCreate(client: Api, declared: DeclaredObject, dryRun = false): Promise<void> {
  const live = await liveObject(client, declared);
  if (live === undefined) {
    return;
  }
  const going = live.metadata.deletionTimestamp !== undefined;
  const refused = notOurs(live, declared);
  if (refused !== undefined && !going) {
    throw new Refused(refused);
  }
  const anew = !going && isFixedOtherwise(live, declared);
  if (dryRun) {
    if (anew && declared.kind === "Service") {
      // The provider's own preview would fail with the API server's words alone: it tries the new one on the old one.
      throw new Refused(
        `${objectName(declared)} has to be made anew, which changes its address: a Service with a ClusterIP cannot become headless, or ` +
          `the other way round. No preview can show it: run the update with --skip-preview, or choose another name`,
      );
    }
    return;
  }
  if (anew) {
    await client.delete(`${objectPath(declared)}?propagationPolicy=Foreground`);
  } else if (!going) {
    return;
  }
  await untilGone(client, declared, live.metadata.uid);
}

/** Looks at what stands in an object's place before it is updated: somebody may have put an object of their own there. */
export async function beforeUpdate(client: Api, declared: DeclaredObject, before: DeclaredObject): Promise<void> {
  const live = await liveObject(client, declared);
  if (live === undefined) {
    throw new Refused(
      `${objectName(declared)} is gone from the cluster: somebody deleted it. Run \`pulumi refresh\`, then the update again, which makes it`,
    );
  }
  // A version of podnet's that set no marks may have made it.
  const marked = before.metadata.annotations?.[OWNER_MARK] !== undefined;
  // Another mark is declared when the stack's own resource moved; what is there still bears the earlier one.
  const refused = marked ? notOurs(live, before) && notOurs(live, declared) : undefined;
  if (refused !== undefined) {
    throw new Refused(refused);
  }
}

async function liveObject(client: Api, declared: DeclaredObject): Promise<LiveObject | undefined> {
  try {
    return await client.get(objectPath(declared), anyObject);
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) {
      return undefined;
    }
    throw error;
  }
}

async function untilGone(client: Api, declared: DeclaredObject, uid: string | undefined): Promise<void> {
  const deadline = Date.now() + GONE_SECONDS * 1000;
  for (;;) {
    const live = await liveObject(client, declared);
    if (live === undefined || live.metadata.uid !== uid) {
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(
        `${objectName(declared)} was deleted and is still there after ${String(GONE_SECONDS)} s; look at its finalizers: ` +
          JSON.stringify(live.metadata["finalizers"] ?? []),
      );
    }
    await sleep(250);
  }
}
