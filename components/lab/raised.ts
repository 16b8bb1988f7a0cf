import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { raisedTo, type TooLow } from "./limits";

/** Where the labs of this host keep what they raised: gone with the next boot, as is what they raised. */
export const RAISED =
  process.getuid?.() === 0 ? "/run/podnet.limits" : join(tmpdir(), `podnet.limits-${String(process.getuid?.())}`);

/** Milliseconds for which a lab that has no bridge yet counts as one that is being made. */
const BEING_MADE_MS = 600_000;

/** A kernel setting as it was before the first lab, and as the labs set it. */
interface Raised {
  readonly file: string;
  readonly before: number;
  readonly set: number;
}

const labFile = (folder: string, labName: string): string => join(folder, `lab-${labName}`);

/** A lab that entered the host. */
interface Entered {
  /** Link name of its bridge. */
  readonly bridge: string;
  /** Number of its nodes, whether they run already or are being made. */
  readonly nodes: number;
  /** The run of its host's resource that did this last; empty before the first. */
  readonly run: string;
}

/**
 * Notes that a lab is on the host, for which what is raised stays raised, and for whose nodes others leave room. A run that is
 * not given stays what it was. Says whether the lab is new.
 */
export function enterHost(
  labName: string,
  { bridge, nodes, run = "" }: Omit<Entered, "run"> & Partial<Entered>,
  folder = RAISED,
): boolean {
  mkdirSync(folder, { recursive: true });
  const earlier = enteredIn(labFile(folder, labName));
  const now: Entered = { bridge, nodes, run: run === "" ? (earlier?.run ?? "") : run };
  writeFileSync(labFile(folder, labName), JSON.stringify(now));
  return earlier === undefined;
}

/** Number of the nodes that the other labs of the host have or are making. */
export function nodesOfOthers(labName: string, folder = RAISED, links = "/sys/class/net"): number {
  return readdirSync(folder)
    .filter((name) => name.startsWith("lab-") && name !== `lab-${labName}` && lives(join(folder, name), links))
    .reduce((sum, name) => sum + (enteredIn(join(folder, name))?.nodes ?? 0), 0);
}

/** Whether another run than this one was the last to make the host ready for a lab: an undo of this one undoes nothing then. */
export function isOvertaken(labName: string, run: string, folder = RAISED): boolean {
  const last = enteredIn(labFile(folder, labName))?.run ?? "";
  return run !== "" && last !== "" && run !== last;
}

/** What podnet wrote into a file of its own; undefined where there is none. */
function read(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

const enteredIn = (path: string): Entered | undefined => read(path) as Entered | undefined;
const raisedIn = (path: string): Raised | undefined => read(path) as Raised | undefined;

/** Raises a kernel setting, and keeps what it was. Says what it did; undefined where the kernel lets nobody. */
export function raise(low: TooLow, folder = RAISED): string | undefined {
  const { name, file, limit } = low;
  const value = raisedTo(low);
  if (file === undefined) {
    return undefined;
  }
  const path = join(folder, `was-${name}`);
  const earlier = raisedIn(path);
  try {
    mkdirSync(folder, { recursive: true });
    // What somebody else set meanwhile is what was before.
    const before = earlier?.set === limit ? earlier.before : limit;
    writeFileSync(path, JSON.stringify({ file, before, set: value } satisfies Raised));
    writeFileSync(file, String(value));
    return `raised ${name} from ${String(limit)} to ${String(value)} for the labs of this host; the last of them puts it back`;
  } catch {
    rmSync(path, { force: true });
    if (earlier !== undefined) {
      writeFileSync(path, JSON.stringify(earlier));
    }
    return undefined;
  }
}

/** Whether a lab that entered the host is still there: it has its bridge, or is only being made. */
function lives(path: string, links: string): boolean {
  return (
    existsSync(join(links, enteredIn(path)?.bridge ?? "none")) || Date.now() - statSync(path).mtimeMs < BEING_MADE_MS
  );
}

/**
 * Notes that a lab is gone. When it was the last one, puts back what was raised, unless somebody set it otherwise since. Says
 * what it did.
 */
export function leaveHost(labName: string, folder = RAISED, links = "/sys/class/net"): string[] {
  rmSync(labFile(folder, labName), { force: true });
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.some((name) => name.startsWith("lab-") && lives(join(folder, name), links))) {
    return [];
  }
  const said = names
    .filter((name) => name.startsWith("was-"))
    .flatMap((name) => {
      const raised = raisedIn(join(folder, name));
      const now = raised && Number(readFileSync(raised.file, "utf8"));
      if (raised === undefined || now !== raised.set) {
        return [];
      }
      writeFileSync(raised.file, String(raised.before));
      return [`put ${name.slice("was-".length)} back to ${String(raised.before)}`];
    });
  names.forEach((name) => rmSync(join(folder, name), { force: true }));
  if (existsSync(folder)) {
    rmdirSync(folder);
  }
  return said;
}
