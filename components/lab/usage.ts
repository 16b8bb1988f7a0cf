import { readdirSync, readFileSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { SharedLimit } from "./limits";

/** What one node of a lab takes, measured on labs of each network with all that podnet runs on them, and a third more. */
const PER_NODE = { instances: 24, watches: 400, files: 2000, threads: 300, megabytes: 1024 };

/** Where a machine's state is read; tests have one of their own. */
export interface HostFiles {
  readonly proc: string;
  readonly cgroup: string;
}

/** The files of this machine. */
export const HOST_FILES: HostFiles = { proc: "/proc", cgroup: "/sys/fs/cgroup" };

function number(path: string): number | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^\d+$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    // A process that ended meanwhile, or that is somebody else's.
    return [];
  }
}

/** What root's processes, and with them all nodes, hold of inotify: the kernel counts it by user. */
function inotifyInUse(proc: string): { readonly instances: number; readonly watches: number } {
  let [instances, watches] = [0, 0];
  for (const pid of list(proc)) {
    if (!/^\d+$/.test(pid) || !ofRoot(join(proc, pid))) {
      continue;
    }
    for (const fd of list(join(proc, pid, "fd"))) {
      try {
        if (readlinkSync(join(proc, pid, "fd", fd)) === "anon_inode:inotify") {
          instances++;
          watches += readFileSync(join(proc, pid, "fdinfo", fd), "utf8").split("\ninotify ").length - 1;
        }
      } catch {
        // Closed between the look at the list and at the entry.
      }
    }
  }
  return { instances, watches };
}

function ofRoot(path: string): boolean {
  try {
    return statSync(path).uid === 0;
  } catch {
    return false;
  }
}

/** Limits of the machine's own control group, which a container that plays machine has and nobody in it can raise. */
function groupLimits({ cgroup }: HostFiles): SharedLimit[] {
  return [cgroup, join(cgroup, "pids")].flatMap((folder) => {
    const limit = number(join(folder, "pids.max"));
    const used = number(join(folder, "pids.current"));
    return limit === undefined || used === undefined
      ? []
      : [{ name: join(folder, "pids.max"), unit: "processes and threads", limit, used, perNode: PER_NODE.threads }];
  });
}

/** Room on the disk of the engine's data. */
function diskLimits(engineData: string | undefined): SharedLimit[] {
  try {
    const { bavail, bsize } = statfsSync(engineData ?? "");
    const limit = Math.floor((bavail * bsize) / 2 ** 20);
    return [{ name: `free space of ${engineData ?? ""}`, unit: "MiB", limit, used: 0, perNode: PER_NODE.megabytes }];
  } catch {
    // An engine whose data is not on a disk that this machine sees.
    return [];
  }
}

/**
 * What all labs of this machine share, with what is used of it now. `others` is the number of lab nodes of which that
 * may not be seen: they are only being made, or root's processes cannot be looked into. `engineData` is the folder of the engine's data.
 */
export function sharedLimits(files: HostFiles, others: number, engineData: string | undefined): SharedLimit[] {
  const { proc } = files;
  const sysctl = (name: string): string => join(proc, "sys", ...name.split("."));
  const seen = inotifyInUse(proc);
  const [open = 0] = (readText(sysctl("fs.file-nr")) ?? "0").split("\t").map(Number);
  const threads = Number(/\/(\d+) /.exec(readText(join(proc, "loadavg")) ?? "")?.[1] ?? 0);
  const rows: [name: string, unit: string, used: number, perNode: number][] = [
    [
      "fs.inotify.max_user_instances",
      "inotify instances of root",
      Math.max(seen.instances, others * PER_NODE.instances),
      PER_NODE.instances,
    ],
    [
      "fs.inotify.max_user_watches",
      "inotify watches of root",
      Math.max(seen.watches, others * PER_NODE.watches),
      PER_NODE.watches,
    ],
    ["fs.file-max", "open files", open, PER_NODE.files],
    ["kernel.pid_max", "processes and threads", threads, PER_NODE.threads],
    ["kernel.threads-max", "processes and threads", threads, PER_NODE.threads],
  ];
  const kernel = rows.flatMap(([name, unit, used, perNode]): SharedLimit[] => {
    const limit = number(sysctl(name));
    return limit === undefined ? [] : [{ name, unit, limit, used, perNode, file: sysctl(name) }];
  });
  return [...kernel, ...groupLimits(files), ...diskLimits(engineData)];
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
