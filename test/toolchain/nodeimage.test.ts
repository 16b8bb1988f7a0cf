import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { importNodeImage, makeNodeArchive, nodeArchive } from "../../toolchain/supply/nodeimage";
import { type FakeDocker, fakeDocker } from "../components/lab/fakeDocker";

let docker: FakeDocker;
beforeEach(() => {
  docker = fakeDocker();
});
afterEach(() => {
  docker.restore();
  vi.unstubAllEnvs();
});

test("the node image goes to the engine that is meant, whatever reaches another one", async () => {
  vi.stubEnv("DOCKER_HOST", "tcp://10.0.0.1:2376");
  vi.stubEnv("DOCKER_TLS_VERIFY", "1");
  vi.stubEnv("DOCKER_CERT_PATH", "/certs");
  docker.does('*) echo "$1 $DOCKER_HOST $DOCKER_TLS_VERIFY$DOCKER_CERT_PATH" >>env ;;');
  await importNodeImage("/a.tar", "podnet-node:1", "/stores", "unix:///run/x.sock");
  expect(readFileSync(join(docker.folder, "env"), "utf8")).toBe(
    "import unix:///run/x.sock \ntag unix:///run/x.sock \n",
  );
});

describe("the node image's archive", () => {
  const path = process.env["PATH"];
  let folder = "";
  let clone = "";

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "podnet-paths-"));
    clone = join(folder, "it's a $HOME");
    const parts = join(clone, "toolchain", "supply", "node-image");
    mkdirSync(parts, { recursive: true });
    mkdirSync(join(folder, "root"));
    writeFileSync(join(parts, "packages"), "systemd\ndbus\n");
    writeFileSync(join(parts, "customize"), '#!/bin/sh\necho made >"$1/customized"\n');
    chmodSync(join(parts, "customize"), 0o755);
    // It runs a hook as mmdebstrap does: by a shell, with the root as its argument.
    writeFileSync(
      join(folder, "mmdebstrap"),
      `#!/bin/sh
for word; do case "$word" in
--customize-hook=*) sh -c "\${word#*=}" exec '${folder}/root' || exit ;;
*.tar) echo "$word" >>'${folder}/targets'; touch "$word" ;;
esac; done
`,
    );
    chmodSync(join(folder, "mmdebstrap"), 0o755);
    process.env["PATH"] = `${folder}:${path ?? ""}`;
  });
  afterEach(() => {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true, force: true });
  });

  test("is made in a clone whose path no shell would read as one word", async () => {
    const cache = join(folder, "cache");
    await makeNodeArchive(clone, cache);
    expect(existsSync(join(folder, "root", "customized"))).toBe(true);
    expect(readdirSync(join(cache, "node-image"))).toEqual([basename(nodeArchive(clone, cache))]);
  });

  test("is written to a file of its own by each run, and what a killed one left goes", async () => {
    const cache = join(folder, "cache");
    const archive = nodeArchive(clone, cache);
    mkdirSync(dirname(archive), { recursive: true });
    const others = [`${archive}.new.tar`, `${archive}.new-0a1b.tar`];
    others.forEach((path) => writeFileSync(path, "of a killed run"));
    writeFileSync(join(dirname(archive), "another.tar"), "");
    await makeNodeArchive(clone, cache);
    await makeNodeArchive(clone, cache);
    const written = readFileSync(join(folder, "targets"), "utf8").split("\n").slice(0, -1);
    expect(new Set([...written, ...others]).size).toBe(4);
    expect(written.every((path) => path.startsWith(`${archive}.new-`) && path.endsWith(".tar"))).toBe(true);
    expect(readdirSync(dirname(archive)).sort()).toEqual([basename(archive), "another.tar"].sort());
  });
});
