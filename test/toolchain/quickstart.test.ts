import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, describe, expect, test, vi } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { engineOptions, outsideRules } from "../../toolchain/host/ownEngine";
import { writeImageArchive } from "../../toolchain/supply/images";
import { lockHolder, withLock } from "../../toolchain/host/lock";
import { clonePaths } from "../../toolchain/host/paths";
import { duration, Progress, progressLine } from "../../toolchain/host/progress";
import { configChanges } from "../../toolchain/host/written";
import { ENGINE_NEEDS, missingPackages } from "../../toolchain/host/system";
import { closingLine, readReport } from "../../toolchain/make/tests";

const folder = mkdtempSync(join(tmpdir(), "podnet-quickstart-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the closing line", () => {
  test("adds up the reports, and counts what did not run as failed", () => {
    expect(
      closingLine(
        [
          { passed: 3, failed: 0 },
          { passed: 4, failed: 1 },
        ],
        false,
      ).line,
    ).toBe("7 passed, 1 failed");
    expect(closingLine([{ passed: 3, failed: 0 }], true).line).toBe("3 passed, 1 failed");
    expect(readReport(join(folder, "missing.json"))).toEqual({ passed: 0, failed: 1 });
  });

  test("counts a skipped test and a file that could not be loaded as failed", () => {
    const report = join(folder, "report.json");
    const loaded = { status: "passed", assertionResults: [{}, {}, {}] };
    writeFileSync(
      report,
      JSON.stringify({
        numPassedTests: 2,
        numTotalTests: 3,
        testResults: [loaded, { status: "failed", assertionResults: [] }],
      }),
    );
    expect(readReport(report)).toEqual({ passed: 2, failed: 2 });
  });
});

describe("the stack's config", () => {
  test("is written where it is missing or podnet's own, and left where somebody changed it", () => {
    const wanted = { labName: "new", mirror: "new", dockerHost: "new", nodeImage: "same" };
    const now = { mirror: "old", dockerHost: "theirs", nodeImage: "same" };
    const written = { mirror: "old", dockerHost: "old" };
    expect(configChanges(wanted, now, written)).toEqual({ labName: "new", mirror: "new" });
  });
});

describe("an engine of the clone's own", () => {
  const identity = labIdentity("/home/somebody/podnet");
  const paths = clonePaths("/home/somebody/podnet");

  test("keeps to its own folders and leaves firewall and forwarding alone", () => {
    expect(identity.name).toMatch(/^podnet-[0-9a-f]{6}$/);
    expect(engineOptions(identity, paths)).toEqual([
      ...["--host", `unix:///run/${identity.name}/docker.sock`, "--pidfile", `/run/${identity.name}/docker.pid`],
      ...["--exec-root", `/run/${identity.name}/exec`, "--data-root", "/home/somebody/podnet/.podnet/docker"],
      ...["--storage-driver", "overlay2", "--bridge=none", "--iptables=false", "--ip6tables=false"],
      ...["--ip-masq=false", "--ip-forward=false", "--userland-proxy=false"],
    ]);
  });

  test("masquerades the lab's subnet only, in a table of its own", () => {
    const rules = outsideRules(identity, identity.bridge, "172.20.3.0/24");
    expect(rules.split("\n")[0]).toBe(`table ip ${identity.name}`);
    expect(rules).toContain(`ip saddr 172.20.3.0/24 oifname != "${identity.bridge}" masquerade`);
  });
});

describe("a lock", () => {
  test("is waited for while its holder runs, and taken over from one that has ended", async () => {
    const path = join(folder, "a", "lock");
    const order: string[] = [];
    const first = withLock(
      path,
      () => undefined,
      async () => {
        await new Promise((done) => setTimeout(done, 700));
        order.push("first");
      },
    );
    const heard: number[] = [];
    await withLock(
      path,
      (pid) => heard.push(pid),
      () => Promise.resolve(order.push("second")),
    );
    await first;
    expect(order).toEqual(["first", "second"]);
    expect(heard).toEqual([process.pid]);
    writeFileSync(path, JSON.stringify({ pid: process.pid, startTime: "1", bootId: "another" }));
    expect(lockHolder(path)).toBeUndefined();
    await withLock(
      path,
      () => expect.unreachable("the holder has ended"),
      () => Promise.resolve(),
    );
    expect(existsSync(path)).toBe(false);
  });
});

describe("progress", () => {
  test("says what, how far and how long still", () => {
    expect(progressLine("[5/10] building kubernetes", 65, 270)).toBe(
      "[5/10] building kubernetes: 1 min 05 s, about 3 min 25 s left",
    );
    expect(progressLine("importing", 12, 5)).toBe("importing: 12 s, longer than usual");
    expect([4.23, 38.4, 125].map(duration)).toEqual(["4.2 s", "38 s", "2 min 05 s"]);
  });
});

describe("a step inside a step", () => {
  test("leaves no timer behind that would keep the program from ending", async () => {
    vi.useFakeTimers();
    try {
      const said = new PassThrough();
      const progress = new Progress(said as unknown as NodeJS.WriteStream);
      const result = await progress.step("outer", 0, () => progress.step("inner", 0, () => Promise.resolve("done")));
      expect(result).toBe("done");
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("steps at the same time", () => {
  test("each have a line of their own when they start, last and end", async () => {
    vi.useFakeTimers();
    try {
      const said = new PassThrough();
      const progress = new Progress(said as unknown as NodeJS.WriteStream);
      const lasts =
        (seconds: number): (() => Promise<void>) =>
        () =>
          new Promise((done) => setTimeout(done, seconds * 1000));
      const both = [
        progress.step("[1/3] building kubernetes", 60, lasts(40)),
        progress.step("[2/3] fetching etcd", 4, lasts(3)),
      ];
      await vi.advanceTimersByTimeAsync(10_000);
      both.push(progress.step("[3/3] making an image", 20, lasts(18)));
      await vi.advanceTimersByTimeAsync(30_000);
      await Promise.all(both);
      expect(vi.getTimerCount()).toBe(0);
      expect((said.read() as Buffer).toString().split("\n")).toEqual([
        "[1/3] building kubernetes (about 1 min 00 s)",
        "[2/3] fetching etcd",
        "[2/3] fetching etcd: 3.0 s",
        "[3/3] making an image (about 20 s)",
        "[1/3] building kubernetes: 15 s, about 45 s left",
        "[3/3] making an image: 18 s",
        "[1/3] building kubernetes: 30 s, about 30 s left",
        "[1/3] building kubernetes: 40 s",
        "",
      ]);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("packages", () => {
  test("that are missing are found by what they provide, a client of an engine being no engine", async () => {
    expect(
      await missingPackages([
        { probe: "podnet-no-such-program", package: "one" },
        { probe: "/podnet/no/such/file", package: "one" },
        { probe: "sh", package: "two" },
      ]),
    ).toEqual(["one"]);
    expect(ENGINE_NEEDS).toEqual([{ probe: "dockerd", package: "docker.io" }]);
  });
});

describe("an image's archive", () => {
  test("lies on its base, which is a layer of its own", async () => {
    const base = join(folder, "base.tar");
    execFileSync("tar", ["-C", folder, "-cf", base, "--files-from", "/dev/null"]);
    const tree = join(folder, "tree", "deep");
    mkdirSync(tree, { recursive: true });
    writeFileSync(join(tree, "file"), "text\n");
    const out = join(folder, "based.tar");
    const recipe = { image: "example.org/based:1", base, files: {}, folders: { "/srv/tree": join(folder, "tree") } };
    await writeImageArchive({ ...recipe, arch: "amd64" }, out);
    const unpacked = mkdtempSync(join(folder, "based-"));
    execFileSync("tar", ["-C", unpacked, "-xf", out]);
    const [manifest] = JSON.parse(readFileSync(join(unpacked, "manifest.json"), "utf8")) as [
      { Config: string; Layers: string[] },
    ];
    expect(manifest.Layers).toEqual(["base.tar", "layer.tar"]);
    const config = JSON.parse(readFileSync(join(unpacked, manifest.Config), "utf8")) as {
      rootfs: { diff_ids: string[] };
    };
    const sha = (name: string): string =>
      createHash("sha256")
        .update(readFileSync(join(unpacked, name)))
        .digest("hex");
    expect(config.rootfs.diff_ids).toEqual(manifest.Layers.map((layer) => `sha256:${sha(layer)}`));
    expect(execFileSync("tar", ["-tf", join(unpacked, "layer.tar")], { encoding: "utf8" })).toContain(
      "./srv/tree/deep/file\n",
    );
  });

  test("has one layer whose hash its config names, and the same bytes every time", async () => {
    const program = join(folder, "program");
    writeFileSync(program, "#!/bin/sh\n");
    const recipe = {
      image: "registry.example/thing:1",
      files: { "/usr/local/bin/thing": program },
      texts: { "/etc/protocols": "tcp 6 TCP\n" },
      links: { "/bin/thing": "/usr/local/bin/thing" },
      entrypoint: ["/usr/local/bin/thing"],
      arch: "amd64",
    } as const;
    const [one, two] = [join(folder, "one.tar"), join(folder, "two.tar")];
    await writeImageArchive(recipe, one);
    await writeImageArchive(recipe, two);
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    const read = (member: string): Buffer => execFileSync("tar", ["-xOf", one, `./${member}`]);
    const [manifest] = JSON.parse(read("manifest.json").toString()) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ];
    expect(manifest.RepoTags).toEqual(["registry.example/thing:1"]);
    const config = JSON.parse(read(manifest.Config).toString()) as {
      rootfs: { diff_ids: string[] };
      config: { Entrypoint: string[] };
    };
    const layer = read(manifest.Layers[0] ?? "");
    expect(config.rootfs.diff_ids).toEqual([`sha256:${createHash("sha256").update(layer).digest("hex")}`]);
    expect(config.config.Entrypoint).toEqual(["/usr/local/bin/thing"]);
    const members = execFileSync("tar", ["-t"], { input: layer }).toString().split("\n");
    expect(members).toEqual(expect.arrayContaining(["./usr/local/bin/thing", "./etc/protocols", "./bin/thing"]));
  });
});
