import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type HoldRequest, holdCommand, releaseCommand } from "../../../components/network/hold";
import { startSshServer, type TestServer } from "../../packages/pulumi-command/sshd";

// A machine is this one, with a `bash` in the place of the node program that answers as the test says.
let server: TestServer;
const bin = mkdtempSync(join(tmpdir(), "podnet-hold-"));
const path = process.env["PATH"];
const printed = vi.spyOn(console, "log").mockReturnValue();
const said = vi.spyOn(console, "error").mockReturnValue();
beforeAll(async () => {
  server = await startSshServer();
  process.env["PATH"] = `${bin}:${path ?? ""}`;
});
beforeEach(() => {
  printed.mockClear();
  said.mockClear();
});
afterAll(() => {
  server.stop();
  process.env["PATH"] = path;
  rmSync(bin, { recursive: true });
});

/** Every question is noted; `does` is what the machine does then. */
function machine(does: string): void {
  // In one write: the machines are asked at once.
  const note = `#!/bin/sh\ntext=$(cat)\nline=$(printf '%s\\n' "$text" | grep -v '^nonce\\|^end' | tr '\\n' ' ')\necho "$line" >>${bin}/asked\n`;
  const answer = `nonce=$(printf '%s\\n' "$text" | sed -n 's/^nonce: //p')\n`;
  writeFileSync(join(bin, "bash"), note + answer + does);
  chmodSync(join(bin, "bash"), 0o755);
  writeFileSync(join(bin, "asked"), "");
}
const ANSWERS = 'echo "podnet $nonce 0"\n';

const request = (...names: string[]): HoldRequest => ({
  owner: "11111111-2222-3333-4444-555555555555",
  nodes: {
    keys: { k: server.privateKey },
    nodes: Object.fromEntries(
      names.map((name) => [
        name,
        { host: "127.0.0.1", port: server.port, user: "root", hostKey: server.hostKey, key: "k" },
      ]),
    ),
  },
});
const asked = (): string[] => {
  const lines = readFileSync(join(bin, "asked"), "utf8").trim().split("\n");
  return lines.map((text) => text.trim()).sort();
};
const line = (node: string, hold: string, more = ""): string =>
  `node: ${node} owner: 11111111-2222-3333-4444-555555555555 hold: ${hold}${more}`;
const output = (): { hold: string } => JSON.parse(String(printed.mock.calls[0]?.[0])) as { hold: string };

test("every machine is held under one new text, which stays, and one that is no longer declared is released", async () => {
  machine(ANSWERS);
  await holdCommand(JSON.stringify(request("w1", "w2")), undefined);
  const { hold } = output();
  expect(hold).toMatch(/^[0-9a-f]{16}$/);
  expect(asked()).toEqual([line("w1", hold), line("w2", hold)]);
  const before = JSON.stringify(output());
  machine(ANSWERS);
  printed.mockClear();
  await holdCommand(JSON.stringify(request("w2")), before);
  expect(output().hold).toBe(hold);
  expect(asked()).toEqual([line("w1", hold, " release: yes"), line("w2", hold)]);
  machine(ANSWERS);
  await releaseCommand(JSON.stringify(request("w2")), JSON.stringify(output()));
  expect(asked()).toEqual([line("w2", hold, " release: yes")]);
});

test("a machine whose login shell runs nothing and says that all is well is not believed", async () => {
  machine(ANSWERS);
  server.shell = "/bin/true";
  const before = JSON.stringify({ hold: "a".repeat(16), nodes: {} });
  await expect(releaseCommand(JSON.stringify(request("w1")), before)).rejects.toThrow(
    `these machines do not do what they are told, so nothing would be taken off them; nothing on any machine was undone:
  node "w1": the phase hold gave no answer, so nothing shows that it ran (it printed nothing); look at the login shell of its SSH user, then run it again`,
  );
});

test("a machine without anything of podnet's, and one that cannot be reached, are left to the undo", async () => {
  machine("exit 127\n");
  server.shell = "/bin/sh";
  const before = JSON.stringify({ hold: "a".repeat(16), nodes: {} });
  await releaseCommand(JSON.stringify(request("w1")), before);
  const wrong = request("w1");
  const nodes = { ...wrong.nodes.nodes, w1: { ...wrong.nodes.nodes["w1"], hostKey: server.otherHostKey } };
  await releaseCommand(JSON.stringify({ ...wrong, nodes: { ...wrong.nodes, nodes } }), before);
  expect(String(said.mock.calls.at(-1)?.[0])).toContain("w1 (127.0.0.1");
  await releaseCommand(JSON.stringify(request("w1")), undefined);
});
