import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { bridgeOf, labIdentity, type LabIdentity } from "../../components/lab/identity";
import { type ClonePaths, clonePaths } from "./paths";
import { readWritten } from "./written";

/** What a clone notes of itself, so that it is known again in another folder. */
interface CloneRecord {
  /** Minted once: a copy has it too, another clone in the same folder has not. */
  readonly id: string;
  /** The clone's folder. */
  readonly project: string;
  /** The name that its lab has on its host. */
  readonly labName: string;
}

function readClone({ clone }: Pick<ClonePaths, "clone">): CloneRecord | undefined {
  try {
    return JSON.parse(readFileSync(clone, "utf8")) as CloneRecord;
  } catch {
    return undefined;
  }
}

/** Whether two paths are one folder, as by a link or a second mount. */
function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/** The folder that a clone was in when it noted that, where that is another one by now. */
function formerly(paths: ClonePaths, record: CloneRecord | undefined): string | undefined {
  return record === undefined ||
    record.project === paths.project ||
    isSame(clonePaths(record.project).dotPodnet, paths.dotPodnet)
    ? undefined
    : record.project;
}

/**
 * What a clone's lab is known by on its host: by the name that it was made with, in whatever folder the clone is by now, else by
 * its folder. Throws in a copy of a clone that is still there, which would replace that one's lab, and in a clone that was moved
 * with an engine of its own, whose data has the old path in it.
 */
export function cloneIdentity(paths: ClonePaths): LabIdentity {
  const { project, dotPodnet, config } = paths;
  const record = readClone(paths);
  const former = formerly(paths, record);
  if (former !== undefined && readClone(clonePaths(former))?.id === record?.id) {
    throw new Error(
      `${project} is a copy of the clone ${former}, and the lab that ${dotPodnet} speaks of is that one's. Nothing was touched. For a ` +
        `lab of its own: rm -r ${dotPodnet}, and take podnet:labName, podnet:labSubnet and podnet:dockerHost out of ${config}`,
    );
  }
  if (former !== undefined && existsSync(paths.engineData)) {
    throw new Error(
      `the clone ${former} was moved to ${project}, and the data of its own container engine has the old path in it. Nothing was ` +
        `touched. Move it back, or put a link there (ln -s ${project} ${former}); to move it for good, "make down" there first`,
    );
  }
  const own = labIdentity(project);
  const name = record?.labName ?? readWritten(paths.writtenConfig).settings["labName"] ?? own.name;
  return name === own.name ? own : { name, bridge: bridgeOf(name), subnets: labIdentity(name).subnets };
}

/** Notes what a clone's lab is known by, and the folder that the clone is in. */
export function recordClone(paths: ClonePaths, { name }: LabIdentity): void {
  const record = readClone(paths);
  if (record === undefined || formerly(paths, record) !== undefined) {
    const id = record?.id ?? randomBytes(12).toString("hex");
    mkdirSync(paths.dotPodnet, { recursive: true });
    writeFileSync(paths.clone, JSON.stringify({ id, project: paths.project, labName: name } satisfies CloneRecord));
  }
}
