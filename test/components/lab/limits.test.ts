import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { makeRoom, type Place } from "../../../components/lab/host";
import { limitText, raisedTo, type SharedLimit, tooLow } from "../../../components/lab/limits";
import { enterHost, isOvertaken, leaveHost, raise } from "../../../components/lab/raised";
import { sharedLimits } from "../../../components/lab/usage";

const folder = mkdtempSync(join(tmpdir(), "podnet-limits-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const instances: SharedLimit = {
  name: "fs.inotify.max_user_instances",
  unit: "inotify instances of root",
  limit: 128,
  used: 112,
  perNode: 20,
  file: "/proc/sys/fs/inotify/max_user_instances",
};

describe("a limit that all labs of a host share", () => {
  test("is too low by the number that is used and the number that is needed, and not before", () => {
    expect(tooLow([{ ...instances, used: 68 }], 3)).toEqual([]);
    const [low] = tooLow([instances], 3);
    expect(low).toEqual({ ...instances, needed: 172 });
    expect(low && raisedTo(low)).toBe(512);
    expect(low && limitText(low, 3)).toBe(
      "fs.inotify.max_user_instances is 128: 112 inotify instances of root are in use, and 3 more lab nodes need 60; " +
        "as root: sysctl -w fs.inotify.max_user_instances=512, or take another lab down",
    );
    const disk: SharedLimit = { name: "free space of /d", unit: "MiB", limit: 100, used: 0, perNode: 50 };
    expect(tooLow([disk], 3).map((one) => limitText(one, 3))).toEqual([
      "free space of /d is 100: 0 MiB are in use, and 3 more lab nodes need 150; give this machine more, or take another lab down",
    ]);
  });

  test("asks nothing more for a lab that is there", () => {
    expect(tooLow([instances], 0)).toEqual([]);
  });
});

/** A machine with these files, below a folder of its own. */
function machine(files: Readonly<Record<string, string>>): { proc: string; cgroup: string } {
  const root = mkdtempSync(join(folder, "machine-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { proc: join(root, "proc"), cgroup: join(root, "cgroup") };
}

describe("what is used of the limits", () => {
  const files = machine({
    "proc/sys/fs/inotify/max_user_instances": "128\n",
    "proc/sys/fs/inotify/max_user_watches": "8192\n",
    "proc/sys/fs/file-max": "100000\n",
    "proc/sys/fs/file-nr": "1649\t0\t100000\n",
    "proc/sys/kernel/pid_max": "32768\n",
    "proc/loadavg": "0.10 0.20 0.30 2/345 6789\n",
    "proc/12/fdinfo/5": "pos:\t0\nflags:\t02004000\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n",
    "proc/12/fd/5.is": "",
    "cgroup/pids/pids.max": "2000\n",
    "cgroup/pids/pids.current": "120\n",
    "cgroup/pids.max": "max\n",
  });
  symlinkSync("anon_inode:inotify", join(files.proc, "12", "fd", "5"));
  symlinkSync("socket:[1]", join(files.proc, "12", "fd", "6"));
  const seen = (others: number): Record<string, [used: number, limit: number]> =>
    Object.fromEntries(sharedLimits(files, others, undefined).map(({ name, used, limit }) => [name, [used, limit]]));

  test("is what root's processes hold, and the kernel's own numbers", () => {
    expect(seen(0)).toEqual({
      "fs.inotify.max_user_instances": [1, 128],
      "fs.inotify.max_user_watches": [2, 8192],
      "fs.file-max": [1649, 100_000],
      "kernel.pid_max": [345, 32_768],
      [join(files.cgroup, "pids", "pids.max")]: [120, 2000],
    });
  });

  test("is reckoned from the nodes that run where root's processes cannot be looked into", () => {
    expect(seen(6)["fs.inotify.max_user_instances"]).toEqual([6 * 24, 128]);
  });

  test("is told of the disk that the engine's data is on", () => {
    const [disk] = sharedLimits(files, 0, folder).slice(-1);
    expect(disk).toMatchObject({ name: `free space of ${folder}`, unit: "MiB", used: 0 });
    expect(disk?.limit).toBeGreaterThan(0);
  });
});

describe("a limit that was raised", () => {
  let kept = "";
  let links = "";
  let file = "";
  const value = (): string => readFileSync(file, "utf8");
  const low = (limit: number) => ({ ...instances, file, limit, needed: 172 });
  beforeEach(() => {
    const own = mkdtempSync(join(folder, "raised-"));
    [kept, links, file] = [join(own, "kept"), join(own, "links"), join(own, "max_user_instances")];
    mkdirSync(links);
    writeFileSync(file, "128");
  });

  test("is put back when the last lab goes, and not while another clone's is there", () => {
    enterHost("podnet-a", { bridge: "pn-a", nodes: 3 }, kept);
    expect(raise(low(128), kept)).toBe(
      "raised fs.inotify.max_user_instances from 128 to 512 for the labs of this host; the last of them puts it back",
    );
    enterHost("podnet-b", { bridge: "pn-b", nodes: 3 }, kept);
    mkdirSync(join(links, "pn-b"));
    expect(raise({ ...low(512), needed: 600 }, kept)).toContain("from 512 to 2048");
    expect(leaveHost("podnet-a", kept, links)).toEqual([]);
    expect(value()).toBe("2048");
    rmSync(join(links, "pn-b"), { recursive: true });
    expect(leaveHost("podnet-b", kept, links)).toEqual(["put fs.inotify.max_user_instances back to 128"]);
    expect([value(), existsSync(kept)]).toEqual(["128", false]);
  });

  test("is put back by the last lab although another one went without a word", () => {
    enterHost("podnet-dead", { bridge: "pn-dead", nodes: 3 }, kept);
    const past = new Date(Date.now() - 3_600_000);
    utimesSync(join(kept, "lab-podnet-dead"), past, past);
    enterHost("podnet-a", { bridge: "pn-a", nodes: 3 }, kept);
    raise(low(128), kept);
    expect(leaveHost("podnet-a", kept, links)).toEqual(["put fs.inotify.max_user_instances back to 128"]);
  });

  test("stays for a lab that is only being made", () => {
    enterHost("podnet-new", { bridge: "pn-new", nodes: 3 }, kept);
    raise(low(128), kept);
    expect(leaveHost("podnet-a", kept, links)).toEqual([]);
    expect(value()).toBe("512");
  });

  test("stays as somebody set it since", () => {
    raise(low(128), kept);
    writeFileSync(file, "4096");
    expect(leaveHost("podnet-a", kept, links)).toEqual([]);
    expect([value(), existsSync(kept)]).toEqual(["4096", false]);
  });

  test("is what was there before where the kernel lets nobody raise it", () => {
    expect(raise({ ...low(128), file: join(folder, "no", "such", "file") }, kept)).toBeUndefined();
    expect(leaveHost("podnet-a", kept, links)).toEqual([]);
    expect(leaveHost("podnet-a", join(folder, "nothing"), links)).toEqual([]);
  });
});

test("an undo of a run that a later one has overtaken is told from the undo of the last", () => {
  const kept = mkdtempSync(join(folder, "runs-"));
  expect(isOvertaken("podnet-a", "one", kept)).toBe(false);
  enterHost("podnet-a", { bridge: "pn-a", nodes: 3, run: "one" }, kept);
  enterHost("podnet-a", { bridge: "pn-a", nodes: 3 }, kept);
  expect(isOvertaken("podnet-a", "one", kept)).toBe(false);
  enterHost("podnet-a", { bridge: "pn-a", nodes: 3, run: "two" }, kept);
  expect(["one", "two", ""].map((run) => isOvertaken("podnet-a", run, kept))).toEqual([true, false, false]);
});

describe("a host", () => {
  const room = { labName: "podnet-a", network: "pn-a", nodes: 3, more: 3, running: 6 };
  const say: string[] = [];
  const place = (root: boolean, files: Readonly<Record<string, string>>): Place => {
    say.length = 0;
    return { files: machine(files), raised: mkdtempSync(join(folder, "raised-")), root };
  };
  const at = (where: Place) => () => makeRoom(room, (line) => say.push(line), where);
  const INSTANCES = "proc/sys/fs/inotify/max_user_instances";

  test("that has room is left as it is", () => {
    expect(at(place(true, { [INSTANCES]: "128\n" }))).not.toThrow();
    expect(say).toEqual([]);
  });

  test("whose limit is too low has it raised by root, and put back with the lab", () => {
    const where = place(true, { [INSTANCES]: "64\n" });
    expect(at(where)).not.toThrow();
    expect(say).toEqual([
      "raised fs.inotify.max_user_instances from 64 to 256 for the labs of this host; the last of them puts it back",
    ]);
    expect(leaveHost("podnet-a", where.raised, folder)).toEqual(["put fs.inotify.max_user_instances back to 64"]);
  });

  test("has room for what another clone's lab is only making too", () => {
    const where = place(true, { [INSTANCES]: "128\n" });
    expect(at(where)).not.toThrow();
    expect(say).toEqual([]);
    makeRoom({ ...room, labName: "podnet-b", network: "pn-b" }, (line) => say.push(line), where);
    expect(say).toEqual([
      "raised fs.inotify.max_user_instances from 128 to 512 for the labs of this host; the last of them puts it back",
    ]);
  });

  test("whose limits nobody may raise is refused with all that is too low, before anything is made", () => {
    const where = place(false, { [INSTANCES]: "128\n", "cgroup/pids.max": "700\n", "cgroup/pids.current": "200\n" });
    expect(at(where)).toThrow(
      "this machine has no room for 3 more lab nodes; nothing was made:\n" +
        "  fs.inotify.max_user_instances is 128: 144 inotify instances of root are in use, and 3 more lab nodes need 72; " +
        "as root: sysctl -w fs.inotify.max_user_instances=512, or take another lab down\n" +
        `  ${join(where.files.cgroup, "pids.max")} is 700: 200 processes and threads are in use, and 3 more lab nodes need 900; ` +
        "give this machine more, or take another lab down",
    );
    expect(say).toEqual([]);
    expect(readFileSync(join(where.files.proc, "sys/fs/inotify/max_user_instances"), "utf8")).toBe("128\n");
    expect(existsSync(where.raised)).toBe(false);
  });

  test("that root may not change either gets back what could be raised", () => {
    const where = place(true, { [INSTANCES]: "64\n", "cgroup/pids.max": "700\n", "cgroup/pids.current": "200\n" });
    expect(at(where)).toThrow("pids.max is 700: 200 processes and threads are in use, and 3 more lab nodes need 900");
    expect(say.at(-1)).toBe("put fs.inotify.max_user_instances back to 64");
    expect(existsSync(where.raised)).toBe(false);
  });
});
