import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Parameters } from "../../../../components/node/parameters";
import { bundled, edit, Machine } from "./machine";
import { BRIDGE, installFrom, TAKE } from "./node";

const program = bundled();
let machine: Machine;
let install: Parameters;

beforeEach(async () => {
  machine = await Machine.make(program);
  // Not what podnet wants, so that putting back shows.
  await machine.sh("sysctl -qw net.ipv4.ip_forward=0 net.bridge.bridge-nf-call-iptables=0");
  install = installFrom(machine);
});
afterEach(() => machine.close());

/** All rules, each table by itself: to load one anew moves it behind the others. */
const RULES = `iptables-save -c | grep -v '^#'
nft list tables | sort | while read -r _ family name; do nft list table "$family" "$name"; done`;

/** A snapshot without the program itself, the upload, and what the container runtime keeps: as a machine is before and after. */
async function bare(): Promise<string[]> {
  return (await machine.snapshot()).filter((line) => !/\/root\/\.podnet|\/usr\/local\/lib/.test(line));
}

describe("applied twice", () => {
  test.each(["take", "install", "network"] as const)("%s changes nothing the second time", async (phase) => {
    const all = { take: TAKE, install, network: BRIDGE };
    await machine.does("take", TAKE);
    await machine.does(phase, all[phase]);
    const before = await machine.snapshot();
    const answer = await machine.does(`${phase} --update`, all[phase]);
    expect(await machine.snapshot()).toEqual(before);
    machine.calls();
    expect(await machine.does(phase, all[phase])).toEqual(answer);
    const work = `/var/lib/podnet/work/${phase}`;
    const rest = (lines: string[]): string[] => lines.filter((line) => !line.includes(work));
    expect(rest(await machine.snapshot())).toEqual(rest(before));
    // A working containerd, kubelet and image are left alone.
    expect(machine.calls().filter((call) => /stop|import|kubeadm/.test(call))).toEqual([]);
  });
});

test("a mirror that cannot be reached is named without the password in its address", async () => {
  machine.standIn("curl");
  machine.answers("curl", "exit 7");
  await machine.does("take", TAKE);
  const { code, stderr } = await machine.run("install", {
    ...install,
    mirror: "https://ci:hunter2@mirror.example.com",
  });
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/^cannot fetch \S+ from https:\/\/mirror\.example\.com: is it reachable from machine\?$/m);
  expect(stderr).not.toContain("hunter2");
});

describe("a kubelet that runs", () => {
  const restarts = (): string[] => machine.calls().filter((call) => /restart kubelet|stop kubelet/.test(call));

  test("is started anew for another binary, and for nothing that is as it was", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    expect(machine.has("/stub/active/kubelet")).toBe(false);
    machine.calls();
    await machine.does("install --update", install);
    expect(restarts()).toEqual([]);
    const other = installFrom(machine, "# another\n");
    await machine.does("install --update", other);
    expect(restarts()).toEqual(["systemctl try-restart kubelet"]);
    await machine.does("install --update", other);
    expect(restarts()).toEqual([]);
  });

  test("is started anew for another unit, even by the run after one that was killed", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    machine.upload(
      bundled((components) =>
        edit(join(components, "node/program/files/kubelet.service"), "RestartSec=2", "RestartSec=3"),
      ),
    );
    machine.crashAt("systemctl enable -q kubelet");
    expect((await machine.run("install --update", install)).code).toBe(137);
    machine.calls();
    await machine.does("install --update", install);
    expect(restarts()).toEqual(["systemctl try-restart kubelet"]);
  });
});

describe("a containerd that runs", () => {
  const stops = (): string[] => machine.calls().filter((call) => call.endsWith(" containerd"));
  const RESTART = ["systemctl stop containerd", "systemctl enable -q containerd", "systemctl start containerd"];

  test("is started anew for another configuration or unit, and for nothing that is as it was", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    machine.calls();
    await machine.does("install --update", install);
    expect(stops()).toEqual(RESTART.slice(1));
    const other = { ...install, "pause-image": "registry.k8s.io/pause:3.9" };
    await machine.does("install --update", other);
    expect(stops()).toEqual(RESTART);
    machine.upload(
      bundled((components) =>
        edit(join(components, "node/program/files/containerd.service"), "RestartSec=2", "RestartSec=3"),
      ),
    );
    await machine.does("install --update", other);
    expect(stops()).toEqual(RESTART);
    await machine.does("install --update", other);
    expect(stops()).toEqual(RESTART.slice(1));
  });

  test("is started anew by the run after one that was killed", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    const other = { ...install, "pause-image": "registry.k8s.io/pause:3.9" };
    machine.crashAt("systemctl daemon-reload");
    expect((await machine.run("install --update", other)).code).toBe(137);
    machine.calls();
    await machine.does("install --update", other);
    expect(stops()).toEqual(RESTART);
  });
});

describe("undone", () => {
  test("every phase leaves the machine as it was, settings and swap put back", async () => {
    machine.write("/stub/swaps", "Filename Type Size Used Priority\n/dev/vda2 partition 1024 0 -2\n");
    const before = await bare();
    await machine.does("take", TAKE);
    await machine.does("install", install);
    expect(machine.calls()).toContain("swapoff /dev/vda2");
    await machine.does("network", BRIDGE);
    expect(await machine.sh("sysctl -n net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables")).toBe("1\n1");
    await machine.does("network --undo", BRIDGE);
    expect(await machine.sh("ip -4 route show proto 71; nft list ruleset")).toBe("");
    await machine.does("install --undo", install);
    expect(machine.calls()).toContain("swapon /dev/vda2");
    await machine.does("take --undo", TAKE);
    expect(await bare()).toEqual(before);
    expect(machine.has("/root/.podnet")).toBe(false);
    expect(machine.has("/usr/local/lib/podnet")).toBe(false);
  });

  test("swap gets its priority back, and what a boot turned on again is turned off before the kubelet starts", async () => {
    const swaps = "Filename Type Size Used Priority\n/dev/zram0 partition 1024 0 100\n";
    machine.write("/stub/swaps", swaps);
    await machine.does("take", TAKE);
    await machine.does("install", install);
    expect(machine.read("/etc/systemd/system/kubelet.service")).toContain(
      "\nExecStartPre=/bin/bash --norc -p /usr/local/lib/podnet/current/swap-off\n",
    );
    // The next boot finds it in the machine's own settings, and one more.
    machine.write("/stub/swaps", `${swaps}/swap\\040file file 1024 0 -2\n`);
    machine.calls();
    const before = "/bin/bash --norc -p /usr/local/lib/podnet/current/swap-off";
    expect(await machine.sh(before)).toBe(
      ["/dev/zram0", "/swap\\040file"]
        .map(
          (device) => `turned off the swap on ${device.replace("\\040", " ")}, beside which the kubelet does not run`,
        )
        .join("\n"),
    );
    expect(await machine.sh(before)).toBe("");
    expect(machine.calls()).toEqual(["swapoff /dev/zram0", "swapoff /swap file"]);
    await machine.does("take --undo", TAKE);
    expect(machine.calls().filter((call) => call.startsWith("swapon"))).toEqual([
      "swapon /swap file",
      "swapon -p 100 /dev/zram0",
    ]);
  });

  test("folders that were there before stay, empty and with their modes; those of podnet's and the kubelet's go", async () => {
    await machine.sh(`
mkdir -p -m 0750 /etc/kubernetes /etc/kubernetes/pki /etc/cni /opt/cni /opt/cni/bin /var/lib/etcd /var/log/pods
mkdir -p -m 0711 /var/lib/kubelet
mkdir -p /var/lib/kubelet/lost+found /var/log/pods/theirs_x_1`);
    const before = await bare();
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("network", BRIDGE);
    // What kubeadm, the kubelet and the runtime leave.
    await machine.sh(`
chmod 0700 /var/lib/etcd /var/lib/kubelet
mkdir -p /etc/kubernetes/manifests /etc/kubernetes/pki/etcd /var/lib/etcd/member /var/log/containers/x /var/log/pods/kube-system_y_2/y /opt/containerd/lib /run/netns
touch /var/lib/kubelet/config.yaml`);
    await machine.does("take --undo", TAKE);
    expect(await bare()).toEqual(before);
  });

  test("kernel settings that kube-proxy made are put back, and those that somebody else made since are not", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    const key = "net.ipv4.conf.all.route_localnet";
    expect(await machine.sh(`sysctl -n ${key}`)).toBe("0");
    await machine.sh(`sysctl -qw ${key}=1`);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh(`sysctl -n ${key}`)).toBe("0");
  });

  test("what the kernel rewrites when forwarding is turned off is put back after that", async () => {
    const keys =
      "net.ipv4.conf.all.accept_redirects net.ipv4.conf.eth0.forwarding net.ipv4.conf.eth0/100.forwarding net.ipv4.conf.default.forwarding";
    await machine.sh(`ip link add eth0.100 type bridge
sysctl -qw net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.eth0/100.forwarding=1 net.ipv4.conf.default.forwarding=1`);
    expect(await machine.sh(`sysctl -n ${keys}`)).toBe("0\n0\n1\n1");
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    expect(await machine.sh(`sysctl -n ${keys}`)).toBe("0\n1\n1\n1");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh(`sysctl -n net.ipv4.ip_forward ${keys}`)).toBe("0\n0\n0\n1\n1");
  });

  test.each(["install", "network"] as const)(
    "what br_netfilter turns on when %s loads it is off again",
    async (phase) => {
      const keys = ["iptables", "ip6tables", "arptables"].map((name) => `net.bridge.bridge-nf-call-${name}`).join(" ");
      // Until it is loaded the kernel has none of them.
      await machine.sh("mount -t tmpfs tmpfs /proc/sys/net/bridge");
      machine.answers(
        "modprobe",
        `if [ "$*" = br_netfilter ] && umount /proc/sys/net/bridge 2>/dev/null; then for key in ${keys}; do sysctl -qw $key=1; done; fi`,
      );
      await machine.does("take", TAKE);
      await machine.does(phase, { install, network: BRIDGE }[phase]);
      await machine.does("network", BRIDGE);
      expect(await machine.sh(`sysctl -n ${keys}`)).toBe("1\n1\n1");
      await machine.does("take --undo", TAKE);
      expect(await machine.sh(`sysctl -n ${keys}`)).toBe("0\n0\n0");
    },
  );

  test("the conntrack settings of sysctl.d are set at once, on record, and put back, after a boot too", async () => {
    const keys = ["established", "close_wait"]
      .map((name) => `net.netfilter.nf_conntrack_tcp_timeout_${name}`)
      .join(" ");
    await machine.sh(`set -- ${keys}; sysctl -qw $1=4000 $2=40`);
    await machine.does("take", TAKE);
    await machine.does("install", install);
    expect(await machine.sh(`sysctl -n ${keys}`)).toBe("86400\n3600");
    // A boot begins with the kernel's own, and reads sysctl.d.
    await machine.sh(`set -- ${keys}; sysctl -qw $1=432000 $2=60; sysctl -qp /etc/sysctl.d/90-podnet.conf`);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh(`sysctl -n ${keys}`)).toBe("4000\n40");
  });

  test("settings of sysctl.d that cannot be written here are passed over without a word", async () => {
    await machine.does("take", TAKE);
    await machine.sh(
      "mount --bind /proc/sys/net/netfilter /proc/sys/net/netfilter; mount -o remount,bind,ro /proc/sys/net/netfilter",
    );
    const { code, stderr } = await machine.run("install", install);
    expect([code, stderr]).toEqual([0, ""]);
    expect(machine.read("/var/lib/podnet/record/install")).not.toContain("conntrack");
  });

  test("rules of the kubelet's go, with the tables that it made; others' rules stay, with their counters", async () => {
    await machine.sh(`
iptables -t nat -A POSTROUTING -s 203.0.113.0/24 -m comment --comment "mine" -j MASQUERADE
iptables -N MINE
iptables-save -c | sed 's/^\\[0:0\\] -A POSTROUTING/[7:777] -A POSTROUTING/' | iptables-restore -c
nft add table inet own
nft 'add chain inet own input { type filter hook input priority 0; policy accept; }'
nft add rule inet own input tcp dport 22 accept`);
    const before = await machine.sh(RULES);
    expect(before).toContain("[7:777]");
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(`
iptables -t mangle -N KUBE-KUBELET-CANARY
iptables -t mangle -N KUBE-IPTABLES-HINT
ip6tables -t nat -N KUBE-KUBELET-CANARY
iptables -N KUBE-FIREWALL
iptables -A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
iptables -A INPUT -j KUBE-FIREWALL
iptables -t nat -N KUBE-SERVICES
iptables -t nat -A PREROUTING -j KUBE-SERVICES
nft add table ip kube-proxy`);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh(RULES)).toBe(before);
  });

  test("the take alone undoes every other phase", async () => {
    const before = await bare();
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("network", BRIDGE);
    await machine.does("take --undo", TAKE);
    expect(await bare()).toEqual(before);
  });

  test.each([
    ["install", "modprobe overlay"],
    ["install", "systemctl daemon-reload"],
    ["install", "systemctl enable -q kubelet"],
    ["install", "systemctl start containerd"],
    ["install", "ctr -n k8s.io images import"],
    ["network", "modprobe br_netfilter"],
    ["network", "systemctl daemon-reload"],
    ["network", "systemctl restart podnet-network"],
  ] as const)("%s that died at `%s` leaves nothing", async (phase, call) => {
    const all = { install, network: BRIDGE };
    await machine.does("take", TAKE);
    const before = await bare();
    machine.crashAt(call);
    expect((await machine.run(phase, all[phase])).code).toBe(137);
    await machine.does(`${phase} --undo`, all[phase]);
    const after = await bare();
    const own = (line: string): boolean => line.includes("/var/lib/podnet") || line.includes("/var/lib/containerd");
    expect(after.filter((line) => !own(line))).toEqual(before.filter((line) => !own(line)));
    expect(after.filter((line) => /podnet\/(record|installed|images|network)\//.test(line))).toEqual([]);
  });

  test("a phase that died can be applied again, and undone then", async () => {
    const before = await bare();
    await machine.does("take", TAKE);
    machine.crashAt("systemctl start containerd");
    await machine.run("install", install);
    machine.crashAt("systemctl restart podnet-network");
    await machine.does("install", install);
    await machine.run("network", BRIDGE);
    await machine.does("network", BRIDGE);
    await machine.does("take --undo", TAKE);
    expect(await bare()).toEqual(before);
  });

  test("twice is undone once", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.does("network --undo", BRIDGE);
    const before = await machine.snapshot();
    await machine.does("network --undo", BRIDGE);
    expect(await machine.snapshot()).toEqual(before);
  });

  test("a download that died is no file on the machine", async () => {
    await machine.does("take", TAKE);
    const before = await bare();
    // The copy into place dies half-way.
    machine.standIn("cp");
    machine.answers(
      "cp",
      'case ${@: -1} in /usr/local/bin/*) head -c 3 "$1" >"${@: -1}"; kill -9 -1 ;; esac; exec /bin/cp "$@"',
    );
    expect((await machine.run("install", install)).code).toBe(137);
    await machine.sh("rm /usr/local/sbin/cp");
    await machine.does("install --undo", install);
    const own = (line: string): boolean => line.includes("/var/lib/podnet");
    expect((await bare()).filter((line) => !own(line))).toEqual(before.filter((line) => !own(line)));
  });

  test("with the parameters of an older version, whatever a newer one asks for", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    const newer = bundled((components) => {
      edit(
        join(components, "node/program/phases/network.sh"),
        "takes owner node files",
        "takes owner node files token",
      );
      edit(join(components, "node/program/phases/network.sh"), "overhead egress", "egress");
    });
    machine.upload(newer);
    expect((await machine.run("network --update", BRIDGE)).stderr).toContain(
      "these parameters are wrong: overhead: this phase does not take it; token: is missing",
    );
    await machine.does("network --undo", BRIDGE);
    expect(machine.has("/etc/cni/net.d/10-podnet.conflist")).toBe(false);
    expect(await machine.sh("ip -4 route show proto 71; nft list ruleset")).toBe("");
  });

  test("what an older version made, by a newer one that makes other things", async () => {
    const before = await bare();
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("network", BRIDGE);
    const newer = bundled((components) => {
      edit(
        join(components, "node/program/phases/install.sh"),
        "/etc/sysctl.d/90-podnet.conf",
        "/etc/sysctl.d/91-podnet.conf",
      );
      edit(join(components, "node/program/lib/routing.sh"), "ROUTE_PROTOCOL=71", "ROUTE_PROTOCOL=71 # as ever");
      edit(join(components, "network/bridge/node/node.sh"), "10-podnet.conflist", "11-podnet.conflist");
    });
    machine.upload(newer);
    await machine.does("network --undo", BRIDGE);
    expect(await machine.sh("ls /etc/cni/net.d")).toBe("");
    await machine.does("take --undo", TAKE);
    expect(await bare()).toEqual(before);
  });
});

describe("files of somebody else", () => {
  const theirs = "/etc/sysctl.d/90-podnet.conf";

  test("are refused, never overwritten, and stay", async () => {
    await machine.does("take", TAKE);
    machine.write(theirs, "kernel.panic = 1\n", 0o600);
    const { code, stderr } = await machine.run("install", install);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `podnet install on machine: ${theirs} was there before podnet and holds something else; move it away, or run podnet on another machine`,
    );
    await machine.does("take --undo", TAKE);
    expect(machine.read(theirs)).toBe("kernel.panic = 1\n");
    expect(await machine.sh(`stat -c %a ${theirs}; ls /etc/sysctl.d`)).toBe("600\n90-podnet.conf");
  });

  test("that hold the same stay theirs", async () => {
    await machine.does("take", TAKE);
    machine.write(
      theirs,
      await machine
        .sh("cd /root/.podnet/program/files; cat network-sysctl.conf sysctl.conf")
        .then((text) => `${text}\n`),
    );
    await machine.does("install", install);
    await machine.does("take --undo", TAKE);
    expect(machine.has(theirs)).toBe(true);
  });

  test("and their folders outlive podnet's files in them", async () => {
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("network", BRIDGE);
    machine.write("/etc/cni/net.d/99-theirs.conflist", "{}\n");
    machine.write("/opt/cni/bin/theirs", "x", 0o755);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("find /etc/cni /opt -type f")).toBe(
      "/etc/cni/net.d/99-theirs.conflist\n/opt/cni/bin/theirs",
    );
  });

  test("are what podnet's own become when they are changed: each is left, and named", async () => {
    const paths = [
      "/etc/sysctl.d/90-podnet.conf",
      "/etc/cni/net.d/10-podnet.conflist",
      "/usr/local/bin/kubectl",
      "/etc/systemd/system/podnet-network.service",
    ];
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("network", BRIDGE);
    paths.forEach((path) => machine.write(path, "# mine now\n"));
    const { code, stderr } = await machine.run("take --undo", TAKE);
    expect(code).toBe(0);
    for (const path of paths) {
      expect(stderr).toContain(`${path} was changed since podnet made it; left as it is`);
      expect(machine.read(path)).toBe("# mine now\n");
    }
  });

  test("an nftables table of the same name is refused", async () => {
    await machine.does("take", TAKE);
    await machine.sh("nft add table ip podnet");
    const { code, stderr } = await machine.run("network", BRIDGE);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "an nftables table ip podnet was there before podnet; take it away first (nft delete table ip podnet)",
    );
    await machine.does("network --undo", BRIDGE);
    expect(await machine.sh("nft list tables")).toBe("table ip podnet");
  });

  test("a setting that somebody changed since is not put back", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh("sysctl -qw net.bridge.bridge-nf-call-iptables=0");
    await machine.does("network --undo", BRIDGE);
    expect(await machine.sh("sysctl -n net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables")).toBe("0\n0");
  });
});

describe("put_file", () => {
  test("writes any text as it is, with its mode", async () => {
    await machine.does("status", {});
    const nasty = fc
      .array(
        fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("'", "$(id)", "${x}", "\\", "\n", "END", "<<", "%s")),
      )
      .map((parts) => parts.join("").replaceAll("\0", ""))
      .filter((text) => Buffer.from(text, "utf8").toString("utf8") === text);
    await fc.assert(
      fc.asyncProperty(nasty, async (text) => {
        const script =
          "STATE=/tmp/state; . /usr/local/lib/podnet/current/lib/record.sh; put_file \"/tmp/it's a 'file'\" 0600";
        const { code } = await machine.exec(["bash", "-euo", "pipefail", "-c", script], text);
        expect(code).toBe(0);
        expect(machine.read("/tmp/it's a 'file'")).toBe(text);
        expect(statSync(machine.path("/tmp/it's a 'file'")).mode & 0o777).toBe(0o600);
        expect(readdirSync(machine.path("/tmp"))).toEqual(["it's a 'file'"]);
      }),
      { numRuns: 15 },
    );
  });
});
