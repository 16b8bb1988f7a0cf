import { describe, expect, test } from "vitest";
import { ROOMY_KUBELET } from "../lab/lab";

describe("a test's machine", () => {
  test("has room whatever the host's disk says: no threshold of a disk is above zero", () => {
    const [, options = ""] = /^KUBELET_EXTRA_ARGS="([^"']*)"\n$/.exec(ROOMY_KUBELET) ?? [];
    const thresholds = /--eviction-hard=(\S+)/.exec(options)?.[1]?.split(",") ?? [];
    const disk = thresholds.filter((threshold) => /^(nodefs|imagefs)\./.test(threshold));
    expect(disk.map((threshold) => threshold.split("<")[1])).toEqual(["0%", "0%", "0%", "0%"]);
    expect(options.split(" ")).toContain("--image-gc-high-threshold=100");
  });
});
