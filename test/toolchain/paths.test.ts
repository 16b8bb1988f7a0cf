import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { mountsIn, mountsOfProcess } from "../../toolchain/host/mounts";
import { cacheDir } from "../../toolchain/host/paths";
import { backendUrl } from "../../toolchain/make/env";

describe("the cache", () => {
  test("is where the environment says, by a path that means the same in every folder", () => {
    expect(cacheDir({ PODNET_CACHE: "/srv/podnet" })).toBe("/srv/podnet");
    expect(cacheDir({ XDG_CACHE_HOME: "/srv/cache" })).toBe("/srv/cache/podnet");
    expect(cacheDir({})).toBe(join(homedir(), ".cache", "podnet"));
    expect(cacheDir({ PODNET_CACHE: "caches" })).toBe(join(process.cwd(), "caches"));
    expect(cacheDir({ XDG_CACHE_HOME: "../x" })).toBe(join(process.cwd(), "..", "x", "podnet"));
  });

  test.each(["/home/a b", "/home/jörg", "/home/50%", "/srv/a:b", "/srv/a#b"])(
    "in %s is refused at once: nodes could not read it",
    (home) => {
      expect(() => cacheDir({ XDG_CACHE_HOME: home })).toThrow(
        `the folder of podnet's caches is ${home}/podnet, and nodes read it by a URL that cannot hold all of these characters. Set PODNET_CACHE`,
      );
    },
  );
});

test("a backend's URL names the folder of the states, whatever its characters", () => {
  expect(backendUrl("/home/me/pod-net_1.2/.podnet/state")).toBe(
    "file:///home/me/pod-net_1.2/.podnet/state?metadata=skip",
  );
  expect(backendUrl("/a b/c%2Fd#e?f")).toBe("file:///a%20b/c%252Fd%23e%3Ff?metadata=skip");
});

test("a mount's path is read as it is, whatever its characters", () => {
  const path = "/srv/a b\\c\td";
  const written = "/srv/a\\040b\\134c\\011d";
  expect(mountsIn(`tmpfs / tmpfs rw 0 0\noverlay ${written} overlay rw 0 0\n`)).toEqual(["/", path, ""]);
  expect(mountsOfProcess(`9 8 254:0 /root/x ${written} ro - ext4 /dev/vda rw\n`)).toEqual([path, ""]);
});
