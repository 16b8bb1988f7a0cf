/** A path out of /proc/mounts or a mountinfo, which write what would end a field in octal: a space as `\040`. */
function decoded(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Paths of the mounts that /proc/mounts lists, in its order. */
export function mountsIn(mounts: string): string[] {
  return mounts.split("\n").map((line) => decoded(line.split(" ")[1] ?? ""));
}

/** Paths of the mounts that a process's mountinfo lists, in its order. */
export function mountsOfProcess(mountinfo: string): string[] {
  return mountinfo.split("\n").map((line) => decoded(line.split(" ")[4] ?? ""));
}
