import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { waitFor } from "../../components/args/wait";
import { type FakeDocker, fakeDocker } from "../components/lab/fakeDocker";

const PROJECT = join(__dirname, "..", "..");
const INPUT = JSON.stringify({ labName: "podnet-x", network: "pn-x", nodes: 1 });
/** Starts a program and stays, as the CLI does with a plugin, and a plugin with a command. */
const STAYS =
  "require('child_process').spawn(process.argv[1], process.argv.slice(2), { stdio: 'ignore', detached: true }); setInterval(() => {}, 1000)";

let fake: FakeDocker;
beforeEach(() => (fake = fakeDocker()));
afterEach(() => fake.restore());

const alive = (pid: number): boolean =>
  existsSync(`/proc/${String(pid)}/cmdline`) && readFileSync(`/proc/${String(pid)}/cmdline`, "utf8") !== "";

test.each(["plugin", "CLI", "CLI before it begins"])(
  "a command of a stack ends within seconds of its %s",
  async (which) => {
    const early = which === "CLI before it begins";
    fake.does(`"ps "*) echo "$PPID" >command; exec sleep 30 ;;`);
    // The command writes down who asks, from the client's side; it is started as hereLine() has it.
    const load = `require('module').createRequire('${PROJECT}/')('podnet/cli')`;
    writeFileSync(join(fake.folder, "input"), INPUT);
    const command = `${early ? "sleep 2; " : ""}exec node -e "${load}.main(process.argv.slice(1))" lab-host --undo <'${fake.folder}/input'`;
    const plugin = ["-e", STAYS, "sh", "-c", `echo $PPID >'${fake.folder}/plugin'; ${command}`];
    const cli = spawn(process.execPath, ["-e", STAYS, process.execPath, ...plugin], { stdio: "ignore" });
    const pidIn = (name: string): number => Number(readFileSync(join(fake.folder, name), "utf8"));
    try {
      if (early) {
        expect(await waitFor(() => Promise.resolve(existsSync(join(fake.folder, "plugin"))), 15)).toBe(true);
        process.kill(cli.pid ?? 0, "SIGKILL");
        // Nothing is asked of the engine by a command whose update is over.
        expect(await waitFor(() => Promise.resolve(existsSync(join(fake.folder, "command"))), 5)).toBe(false);
        return;
      }
      expect(await waitFor(() => Promise.resolve(existsSync(join(fake.folder, "command"))), 15)).toBe(true);
      const pid = pidIn("command");
      expect(alive(pid)).toBe(true);
      process.kill(which === "CLI" ? (cli.pid ?? 0) : pidIn("plugin"), "SIGKILL");
      expect(await waitFor(() => Promise.resolve(!alive(pid)), 5)).toBe(true);
    } finally {
      for (const pid of [cli.pid ?? 0, pidIn("plugin")]) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // It has ended.
        }
      }
    }
  },
);
