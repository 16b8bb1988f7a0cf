import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll } from "vitest";
import { answerLines, nonceIn, type Parameters, parametersText } from "../../../../components/node/parameters";
import { bundleProgram } from "../../../../components/node/bundle";

/** How a run of the program ended. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Folder of podnet's components. */
export const COMPONENTS = join(__dirname, "..", "..", "..", "..", "components");

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder that goes when the tests of the file end. */
export function temporary(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `podnet-${name}-`));
  folders.push(folder);
  return folder;
}

/** The program as it is uploaded. `change` may change its files before their checksums are taken. */
export function bundled(change?: (components: string) => void): string {
  const target = join(temporary("bundle"), "program");
  let components = COMPONENTS;
  if (change) {
    components = temporary("components");
    for (const part of ["node/program", "network"]) {
      cpSync(join(COMPONENTS, part), join(components, part), { recursive: true });
    }
    change(components);
  }
  bundleProgram(components, target);
  return target;
}

/** Changes a file's text; fails when there is nothing to change. */
export function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  if (!text.includes(from)) {
    throw new Error(`${path} does not hold ${from}`);
  }
  writeFileSync(path, text.replace(from, to));
}

/**
 * Makes the root of a machine: the host's programs read-only, everything that podnet writes to in memory. Processes, links,
 * mounts and kernel settings are the machine's own, so that nothing on the host is seen or touched.
 */
const SETUP = `
read -r pid _ </proc/self/stat
root=$1
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir -p usr proc sys dev run/systemd/system run/lock tmp stub/active stub/enabled root opt mirror answers etc/systemd/system etc/modules-load.d etc/sysctl.d var/lib var/tmp
for link in bin sbin lib lib32 lib64 libx32; do if [ -L "/$link" ]; then cp -P "/$link" .; fi; done
mount --bind /usr usr
mount -o remount,bind,ro usr
mount -t tmpfs tmpfs usr/local
for folder in systemd/system sysctl.d; do [ ! -d "usr/lib/$folder" ] || mount -t tmpfs tmpfs "usr/lib/$folder"; done
mkdir -p usr/local/bin usr/local/sbin usr/local/lib usr/local/share
cp -a /etc/passwd /etc/group /etc/ld.so.cache /etc/ld.so.conf /etc/alternatives /etc/nsswitch.conf /etc/protocols etc/ 2>/dev/null || :
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 none sys/fs/cgroup 2>/dev/null || :
echo 'cpuset cpu io memory pids' >stub/controllers
mount --bind stub/controllers sys/fs/cgroup/cgroup.controllers 2>/dev/null || :
mount -t tmpfs tmpfs dev
ln -s /proc/self/fd dev/fd
for device in null zero random urandom; do : >"dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
echo 'Filename Type Size Used Priority' >stub/swaps
mount --bind stub/swaps proc/swaps
hostname machine
ip link set lo up
ip link add eth0 type veth peer name wire0
ip link set wire0 up
ip address add 192.0.2.11/24 dev eth0
ip link set eth0 up
echo "ready $pid"
exec chroot . /bin/bash -c 'cd /root; : >/stub/calls; while read -r _; do :; done'
`;

/**
 * What every stand-in runs: it notes the call, ends the whole machine's processes or fails where the test says so, and then does
 * what the test says that it does.
 */
const STAND_IN = `#!/bin/bash
name=\${0##*/}
printf '%s\\n' "$name $*" >>/stub/calls
if [ -s /stub/crash ] && [[ "$name $*" == *"$(</stub/crash)"* ]]; then rm -f /stub/crash; kill -9 -1; fi
if [ -s /stub/fail ] && [[ "$name $*" == *"$(</stub/fail)"* ]]; then echo "$name says no" >&2; exit 1; fi
if [ -e "/answers/$name" ]; then . "/answers/$name"; fi
`;

/** systemd, as far as the program talks to it: which units are enabled and active. */
const SYSTEMCTL = `
verb='' now='' names=()
for word; do case $word in --now) now=yes ;; -q) exec >/dev/null ;; -*) ;; *) if [ -z "$verb" ]; then verb=$word; else names+=("\${word%.service}"); fi ;; esac; done
for name in "\${names[@]}"; do
    [ -e "/etc/systemd/system/$name.service" ] || [[ $verb == is-* ]] || { echo "Unit $name.service not found." >&2; exit 5; }
    case $verb in
        enable) touch "/stub/enabled/$name"; [ -z "$now" ] || touch "/stub/active/$name" ;;
        disable) rm -f "/stub/enabled/$name"; [ -z "$now" ] || rm -f "/stub/active/$name" ;;
        start | restart) touch "/stub/active/$name" ;;
        stop) rm -f "/stub/active/$name" ;;
        is-active) if [ -e "/stub/active/$name" ]; then echo active; else echo inactive; exit 3; fi ;;
        is-enabled) if [ -e "/stub/enabled/$name" ]; then echo enabled; else echo disabled; exit 1; fi ;;
    esac
done
`;

/** A machine in namespaces of its own, whose system programs are stand-ins, reached as podnet reaches one. */
export class Machine {
  private constructor(
    private readonly holder: ChildProcess,
    private readonly pid: string,
  ) {}

  /** Makes a machine with the program uploaded. */
  static async make(program?: string): Promise<Machine> {
    const root = temporary("machine");
    const holder = spawn(
      "unshare",
      ["-m", "-n", "-u", "-i", "-p", "--fork", "--kill-child", "bash", "-euo", "pipefail", "-c", SETUP, "setup", root],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
    let text = "";
    let errors = "";
    holder.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    const pid = await new Promise<string>((resolve, reject) => {
      holder.on("exit", () => reject(new Error(`no machine: ${errors}`)));
      holder.stdout.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const ready = /^ready ([0-9]+)$/m.exec(text)?.[1];
        if (ready !== undefined) {
          resolve(ready);
        }
      });
    });
    const machine = new Machine(holder, pid);
    // The program runs in the chroot and the folder that the last step of the setup enters.
    while (!existsSync(machine.path("/stub/calls"))) {
      await new Promise((done) => setTimeout(done, 5));
    }
    for (const name of ["systemctl", "modprobe", "swapoff", "swapon", "conntrack"]) {
      machine.standIn(name);
    }
    machine.answers("systemctl", SYSTEMCTL);
    machine.answers("swapoff", 'rest=$(grep -vF "${1// /\\\\040} " /stub/swaps); echo "$rest" >/stub/swaps');
    machine.answers("swapon", 'echo "${@: -1} partition 1024 0 -2" >>/stub/swaps');
    if (program !== undefined) {
      machine.upload(program);
    }
    return machine;
  }

  /** Path on the host of a file of the machine. */
  path(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  read(path: string): string {
    return readFileSync(this.path(path), "utf8");
  }

  has(path: string): boolean {
    return existsSync(this.path(path));
  }

  write(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(path)), { recursive: true });
    writeFileSync(this.path(path), text);
    chmodSync(this.path(path), mode);
  }

  /** Puts a stand-in in the place of a program, before all others on the PATH. */
  standIn(name: string, folder = "/usr/local/sbin"): void {
    this.write(`${folder}/${name}`, STAND_IN, 0o755);
  }

  /** What a stand-in does: Bash that sees the words it was called with. */
  answers(name: string, body: string): void {
    this.write(`/answers/${name}`, body);
  }

  /** Uploads the program to the folder of the SSH user, over what is there, as CopyToRemote does. */
  upload(program: string): void {
    cpSync(program, this.path("/root/.podnet/program"), { recursive: true });
  }

  /** Calls of stand-ins since the last time. */
  calls(): string[] {
    const lines = this.read("/stub/calls").split("\n").slice(0, -1);
    this.write("/stub/calls", "");
    return lines;
  }

  /** Ends every process of the machine when a stand-in is called with this text. */
  crashAt(call: string): void {
    this.write("/stub/crash", call);
  }

  /** Lets a stand-in fail that is called with this text; none with the empty one. */
  failAt(call: string): void {
    this.write("/stub/fail", call);
  }

  /** Runs a command in the machine, with a root user's login environment of no use to the program. */
  async exec(words: readonly string[], input = "", env: Readonly<Record<string, string>> = {}): Promise<Run> {
    const child = spawn(
      "/usr/bin/nsenter",
      ["-t", this.pid, "-m", "-n", "-u", "-i", "-p", "-r", "-w", "--", ...words],
      {
        env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root", ...env },
      },
    );
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    return { code: code ?? (signal === "SIGKILL" ? 137 : 1), stdout, stderr };
  }

  /** Runs a Bash script in the machine and returns what it printed. Throws when it fails. */
  async sh(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.exec(["bash", "-euo", "pipefail", "-c", script]);
    if (code !== 0) {
      throw new Error(`exit code ${String(code)}: ${script}\n${stderr}`);
    }
    return stdout.trim();
  }

  /** Starts the program by the words that podnet uses, with text on standard input. */
  start(words: string, text: string): Promise<Run> {
    return this.exec(["bash", "--norc", "-p", ".podnet/program/start", ...words.split(" ")], text);
  }

  /** Runs a phase with these parameters. */
  run(words: string, parameters: Parameters): Promise<Run> {
    return this.start(words, parametersText(words.split(" ")[0] ?? "", parameters));
  }

  /** Runs a phase and returns its answer. Throws, with all that it said, when it fails. */
  async does(words: string, parameters: Parameters): Promise<string[]> {
    const phase = words.split(" ")[0] ?? "";
    const text = parametersText(phase, parameters);
    const { code, stdout, stderr } = await this.start(words, text);
    if (code !== 0) {
      throw new Error(`${words} ended with code ${String(code)}: ${stderr}`);
    }
    return answerLines("machine", phase, nonceIn(text), stdout);
  }

  /** Every file, folder, link, route, rule and setting of the machine that podnet could have changed, as one text a line. */
  async snapshot(): Promise<string[]> {
    const text = await this.sh(`
find /etc /opt /usr/local /var /root /run -path /run/lock -prune -o -path /run/mount -prune -o -path /run/podnet -prune -o -path /var/lib/podnet/log -prune -o -path /var/lib/podnet/runs -o -printf '%y %m %p %l\\n' | sort
find /etc /opt /usr/local /var -type f -not -path '/var/lib/podnet/log/*' -not -path /var/lib/podnet/runs -exec sha256sum {} + | sort -k 2
ip -o link show | sed 's/^[0-9]*: //; s/qdisc.*//' | sort
ip -4 route show table all | sort
ip rule show
nft list ruleset
sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables
ls /stub/active /stub/enabled
grep -v '^proc ' /proc/mounts`);
    return text.split("\n");
  }

  /** Ends the machine and all that runs in it. */
  async close(): Promise<void> {
    const ended = once(this.holder, "exit");
    this.holder.kill("SIGKILL");
    await ended;
  }
}
