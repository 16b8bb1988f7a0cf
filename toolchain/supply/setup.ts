import { existsSync } from "node:fs";
import { join } from "node:path";
import { hasImage } from "../../components/lab/docker";
import type { LabIdentity } from "../../components/lab/identity";
import { messageOf } from "../../components/args/validate";
import { findEngine, needEngine } from "../host/engine";
import { withLock } from "../host/lock";
import { startEngine } from "../host/ownEngine";
import type { ClonePaths } from "../host/paths";
import { importNodeImage, makeNodeArchive, nodeArchive, nodeReference } from "./nodeimage";
import type { ToolchainOptions } from "./options";
import { mirrorDir, readChecksums } from "./folders";
import { ensureToolchain, type OtherJob, type Toolchain } from "./toolchain";
import { canUnpack, chooseStore, hasStore, makeStore, storeInput, storesDir } from "./unpacked";

/** What a lab is made with: the toolchain, an engine, and the nodes' image in it. */
export interface Setup {
  readonly toolchain: Toolchain;
  readonly dockerHost: string;
  readonly nodeImage: string;
}

/** Makes everything that a lab is made with, as much of it at the same time as is of use. */
export async function ensureSetup(options: ToolchainOptions, identity: LabIdentity, paths: ClonePaths): Promise<Setup> {
  const { project, cache } = options;
  const mirror = mirrorDir(options);
  const stores = storesDir(mirror);
  const nodeImage = nodeReference(project, stores);
  const found = await findEngine(identity, paths);
  const jobs: OtherJob[] = [];
  if (!existsSync(nodeArchive(project, cache))) {
    jobs.push({
      name: "node-root",
      text: "making the lab's node image from Debian packages",
      seconds: 25,
      lane: "work",
      needs: [],
      work: () => makeArchiveOnce(options),
    });
  }
  let dockerHost = found ?? "";
  if (found === undefined) {
    needEngine();
    jobs.push({
      name: "engine",
      text: "starting a container engine",
      seconds: 8,
      lane: "work",
      needs: [],
      work: async () => {
        dockerHost = await startEngine(identity, paths);
      },
    });
  }
  if (found === undefined || !(await hasImage(found, nodeImage))) {
    jobs.push({
      name: "node-image",
      text: "importing the node image",
      seconds: 2,
      lane: "work",
      needs: ["node-root", "engine"],
      work: async () => {
        await importNodeImage(nodeArchive(project, cache), nodeImage, stores, dockerHost);
      },
    });
  }
  if (canUnpack()) {
    const sums = await readChecksums(mirror).catch(() => undefined);
    const input = sums && storeInput(sums);
    // What a mirror that has yet to be made will hold is known when it is made.
    if (sums === undefined || (input && !hasStore(mirror, input))) {
      jobs.push({
        name: "unpack",
        text: "unpacking the images of the nodes",
        seconds: 12,
        lane: "work",
        needs: ["mirror"],
        shared: true,
        work: () => unpack(options, mirror),
      });
    }
  }
  const toolchain = await ensureToolchain(options, jobs);
  const input = storeInput(toolchain.checksums);
  if (input && hasStore(mirror, input)) {
    await chooseStore(mirror, input);
  }
  return { toolchain, dockerHost, nodeImage };
}

/** Unpacks the images of the nodes once for all labs. Nodes import them where that cannot be done, so it may fail. */
async function unpack({ project, progress }: ToolchainOptions, mirror: string): Promise<void> {
  const input = storeInput(await readChecksums(mirror));
  if (!input) {
    return;
  }
  try {
    await makeStore(project, mirror, input);
  } catch (error) {
    progress.say(`the nodes' images cannot be unpacked ahead, so that each node imports them: ${messageOf(error)}`);
  }
}

/** Makes the node image's archive unless another podnet has made it meanwhile. */
function makeArchiveOnce({ project, cache, progress }: ToolchainOptions): Promise<void> {
  const onWait = (pid: number): void =>
    progress.say(`another podnet (process ${String(pid)}) is making the node image`);
  return withLock(join(cache, "node-image.lock"), onWait, async () => {
    if (!existsSync(nodeArchive(project, cache))) {
      await makeNodeArchive(project, cache);
    }
  });
}
