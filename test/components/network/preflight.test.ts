import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import * as reach from "../../../components/machine/reach";
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

test("a control plane whose API this machine would not reach is named, unless a proxy may reach it", async () => {
  const trouble = vi.spyOn(reach, "portTrouble").mockResolvedValue("no answer within 5 s");
  const input = { ...asUser("root"), declared: { w1: { role: "control-plane" } } };
  await expect(preflight(input, earlierOutput(undefined))).rejects.toThrow(
    `these machines cannot be the nodes that are declared; nothing on any machine was touched:
  w1: the machine that runs podnet does not reach it at 127.0.0.1 port 6443 (no answer within 5 s), where Kubernetes' API will be; let TCP to that port pass between them`,
  );
  expect(trouble.mock.calls).toEqual([["127.0.0.1", 6443, 5]]);
  vi.stubEnv("HTTPS_PROXY", "http://192.0.2.1:3128");
  expect((await preflight(input, earlierOutput(undefined))).fit).toHaveLength(1);
  trouble.mockRestore();
  vi.unstubAllEnvs();
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
