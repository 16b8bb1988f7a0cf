import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { importNodeImage } from "../../toolchain/supply/nodeimage";
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
