import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { earlierOutput, preflight, type PreflightInput } from "../../../components/network/preflight";
import { startSshServer, type TestServer } from "../../packages/pulumi-command/sshd";

let server: TestServer;
const bin = mkdtempSync(join(tmpdir(), "podnet-sudo-"));
const path = process.env["PATH"];
beforeAll(async () => {
  server = await startSshServer();
  process.env["PATH"] = `${bin}:${path ?? ""}`;
});
afterAll(() => {
  server.stop();
  process.env["PATH"] = path;
  rmSync(bin, { recursive: true });
});

const asUser = (user: string): PreflightInput => ({
  network: "bridge",
  features: [],
  programs: [],
  oneLink: true,
  nodes: {
    w1: { host: "127.0.0.1", port: server.port, user, privateKey: server.privateKey, hostKey: server.hostKey },
  },
  declared: {},
  passing: [],
  gone: [],
});

test.each([
  ["ops", "ops"],
  ["jane.doe", "jane.doe"],
  ["jane@corp", '"jane@corp"'],
])("the user %s who may not become root is told so by sudo's own words, with what to do", async (user, written) => {
  writeFileSync(join(bin, "sudo"), "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n");
  chmodSync(join(bin, "sudo"), 0o755);
  await expect(preflight(asUser(user), earlierOutput(undefined))).rejects.toThrow(
    `cannot look at every machine; nothing on any machine was touched:
  w1: sudo: a password is required; its SSH user has to be root or to run everything by "sudo -n" without a password: echo '${written} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/podnet`,
  );
});

test("a user whom sudo lets do all is asked as root is", async () => {
  writeFileSync(join(bin, "sudo"), '#!/bin/sh\nshift\nexec "$@"\n');
  const { fit } = await preflight(asUser("ops"), earlierOutput(undefined));
  expect(fit).toHaveLength(1);
});
