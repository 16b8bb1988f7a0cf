import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labIdentity } from "../../components/lab/identity";
import { type Ended, must, PROJECT, run } from "./lab";
import { differences, machineState, makeMachines, removeMachines, stateAtWork, type TestMachine } from "./machine";

// Machines of somebody's, full of other things, and what becomes of them and of the cluster when nodes change.
const STACK = "machines";
const identity = labIdentity(join(PROJECT, "test", "machines"));
const stack = ["--stack", STACK, "--non-interactive"];
let folder = "";
let machines: Record<string, TestMachine> = {};
let before: Record<string, string[]> = {};

interface Host {
  readonly slot: number;
  readonly role?: string;
  readonly machine?: string;
  /** How SSH reaches it, where that is another address than the machine's first. */
  readonly host?: string;
  readonly internalIp?: string;
  readonly kubeletConfig?: object;
  readonly gone?: boolean;
}

const on = (name: string): TestMachine => machines[name] as TestMachine;

/** Declares the nodes, each on the machine of its name or on another one. */
function declare(hosts: Readonly<Record<string, Host>>): void {
  const declared = Object.fromEntries(
    Object.entries(hosts).map(([name, { machine = name, ...host }]) => {
      const { address, hostKey } = on(machine);
      return [name, { host: address, hostKey, ...host }];
    }),
  );
  must("pulumi", ["config", "set", "podnet:hosts", "--plaintext", JSON.stringify(declared), "--stack", STACK]);
}

function up(): Ended & { readonly seconds: number } {
  const began = Date.now();
  const ended = run("pulumi", ["up", "--yes", "--skip-preview", ...stack]);
  return { ...ended, seconds: Math.round((Date.now() - began) / 1000) };
}

/** An update that has to succeed, proven by the check. */
function mustUp(): string {
  const { code, out, err } = up();
  expect(code, `${out.slice(-3000)}\n${err.slice(-3000)}`).toBe(0);
  const outputs = JSON.parse(must("pulumi", ["stack", "output", "--json", "--stack", STACK])) as { passed: boolean };
  expect(outputs.passed).toBe(true);
  return out;
}

/** The nodes that the API server has, as `NAME POD-CIDR`. */
const nodes = (): string[] =>
  on("cp")
    .sh(
      "KUBECACHEDIR=/tmp/cache KUBERC=off kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.spec.podCIDR}{\"\\n\"}{end}'",
    )
    .split("\n")
    .filter((line) => line !== "");

/** Gives root on a machine a login shell. */
const loginShell = (machine: string, shell: string): string =>
  on(machine).sh(`sed -i 's|^\\(root:.*:\\)[^:]*$|\\1${shell}|' /etc/passwd`);

const CP: Host = { slot: 3, role: "control-plane" };
const W1: Host = { slot: 4 };

/** What somebody has on his machine and may keep there. */
const OTHERS = `
mkdir -p /etc/kubernetes /etc/podnet /etc/cni/net.d /opt/cni/bin /root/.kube /opt/mine /etc/systemd/system/containerd.service.d
echo mine >/etc/kubernetes/mine.yaml; chmod 0600 /etc/kubernetes/mine.yaml
echo mine >/etc/podnet/mine
echo 'runtime-endpoint: unix:///nowhere.sock' >/etc/crictl.yaml
echo '{"cniVersion":"1.0.0","name":"own","plugins":[{"type":"own"}]}' >/etc/cni/net.d/99-own.conflist
printf '#!/bin/sh\\n' >/opt/cni/bin/own; chmod 0755 /opt/cni/bin/own
printf '#!/bin/sh\\necho own\\n' >/usr/bin/kubectl; chmod 0755 /usr/bin/kubectl
echo 'kind: Config' >/root/.kube/config
printf 'apiVersion: kubectl.config.k8s.io/v1beta1\\nkind: Preference\\ndefaults:\\n- command: delete\\n  options:\\n  - name: interactive\\n    default: "true"\\n' >/root/.kube/kuberc
echo 'net.ipv4.ip_forward = 0' >/etc/sysctl.d/50-own.conf
printf '[Service]\\nEnvironment=OWN=1\\n' >/etc/systemd/system/containerd.service.d/own.conf
printf '[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n' >/etc/systemd/system/own.service
systemctl daemon-reload; systemctl enable -q --now own
mkdir -m 0750 -p /var/lib/etcd /var/lib/cni /var/log/pods
sysctl -qw net.ipv4.ip_forward=0
nft add table inet own; nft 'add chain inet own forward { type filter hook forward priority 0; policy accept; }'
nft add rule inet own forward ip daddr 203.0.113.9 drop
iptables -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE
ip route add 198.51.100.0/24 dev eth0 proto 17
ip route add 203.0.113.0/24 dev eth0 table 77
ip rule add from 203.0.113.1 table 77`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "podnet-machines-"));
  clean();
  const { settings } = JSON.parse(readFileSync(join(PROJECT, ".podnet", "written-config.json"), "utf8")) as {
    settings: Record<string, string>;
  };
  must("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  const publicKey = readFileSync(join(folder, "key.pub"), "utf8").trim();
  machines = await makeMachines(identity, ["cp", "w1"], settings, publicKey);
  before = Object.fromEntries(
    Object.entries(machines).map(([name, machine]) => {
      machine.sh(OTHERS);
      return [name, machineState(machine)];
    }),
  );
  rmSync(join(PROJECT, `Pulumi.${STACK}.yaml`), { force: true });
  must("pulumi", ["stack", "init", STACK]);
  for (const key of ["mirror", "checksums"]) {
    must("pulumi", ["config", "set", `podnet:${key}`, "--plaintext", settings[key] ?? "", "--stack", STACK]);
  }
  const key = readFileSync(join(folder, "key"), "utf8");
  must("pulumi", ["config", "set", "--secret", "podnet:sshPrivateKey", "--stack", STACK], key);
});

function clean(): void {
  removeMachines(identity);
  run("pulumi", ["stack", "rm", "--yes", "--force", ...stack]);
}

afterAll(() => {
  clean();
  rmSync(folder, { recursive: true, force: true });
});

describe("machines full of other things", () => {
  test("are refused with every obstacle on all of them, in seconds, and nothing on any changed", () => {
    const obstacles = {
      cp: "echo theirs >/usr/local/bin/kubectl; mkdir -p /var/lib/etcd/member; echo data >/var/lib/etcd/member/x; nft add table inet wall; nft 'add chain inet wall input { type filter hook input priority 0; policy accept; }'; nft add rule inet wall input tcp dport != 22 reject with icmpx admin-prohibited",
      w1: "mkdir -p /var/lib/containerd/prod; echo data >/var/lib/containerd/prod/x; echo net.ipv4.ip_forward=0 >/etc/sysctl.d/99-own.conf; cp /etc/resolv.conf /tmp/resolv; echo nameserver 127.0.0.1 >/etc/resolv.conf",
    };
    on("cp").sh(obstacles.cp);
    on("w1").sh(obstacles.w1);
    const full = [machineState(on("cp")), machineState(on("w1"))];
    declare({ cp: CP, w1: { ...W1, internalIp: "192.0.2.77" } });
    const { code, out, err, seconds } = up();
    const after = [machineState(on("cp")), machineState(on("w1"))];
    on("cp").sh("rm -r /usr/local/bin/kubectl /var/lib/etcd/member; nft delete table inet wall");
    on("w1").sh(
      "rm -r /var/lib/containerd/prod /etc/sysctl.d/99-own.conf; cat /tmp/resolv >/etc/resolv.conf; rm /tmp/resolv",
    );
    expect(code).not.toBe(0);
    for (const line of [
      "these machines cannot be the nodes that are declared; nothing on any machine was touched:",
      "cp: /usr/local/bin/kubectl belongs to another installation; move it away first",
      "of somebody's data (member); move it away, or use another machine",
      "of somebody's data (prod); move it away, or use another machine",
      "w1: no link has the internal IP 192.0.2.77; it has ",
      `w1: it does not reach node cp at ${on("cp").address} port 6443 (No route to host), and the cluster needs that;`,
      "w1: /etc/resolv.conf names the resolver 127.0.0.1, which in a pod is CoreDNS itself",
      "w1: /etc/sysctl.d/99-own.conf line 1 sets net.ipv4.ip_forward = 0, which wins over the 1 that pods need; take it out",
    ]) {
      expect(out + err).toContain(line);
    }
    expect(seconds).toBeLessThan(60);
    expect(differences(full.flat(), after.flat())).toEqual({ gone: [], came: [] });
  });

  test("become a proven cluster beside them", () => {
    declare({ cp: CP, w1: W1 });
    mustUp();
    expect(nodes()).toEqual(["cp 10.244.3.0/24", "w1 10.244.4.0/24"]);
  });
});

test("work whose SSH client was killed before the answer is not counted", () => {
  const { sh, address } = on("w1");
  const [work = "", count] = sh("cat /var/lib/podnet/work/take").trim().split(" ");
  const [owner = "", node = "", cluster = ""] = sh("cat /var/lib/podnet/owner").trim().split(" ");
  const text = `nonce: ${work}\nowner: ${owner}\nnode: ${node}\ncluster: ${cluster}\nfiles: 0123456789abcdef\nend\n`;
  const ssh = ["-i", join(folder, "key"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
  const take = [...ssh, `root@${address}`, "bash --norc -p .podnet/program/start take"];
  expect(count).toBe("1");
  // The phase waits for the lock while its client is killed, and comes to its end without it.
  sh("(exec flock /run/podnet/lock sleep 3) >/dev/null 2>&1 &");
  expect(run("timeout", ["-s", "KILL", "1", "ssh", ...take], text).code).not.toBe(0);
  expect(sh("sleep 5; cat /var/lib/podnet/work/take")).toBe(`${work} 1\n`);
  expect(run("ssh", take, text).code).toBe(0);
  expect(sh("cat /var/lib/podnet/work/take")).toBe(`${work} 2\n`);
  expect(run("ssh", [...take.slice(0, -1), "bash --norc -p .podnet/program/start take --undo"], text).err).toContain(
    "the same work was applied anew since; left as it is",
  );
  expect(sh("cat /var/lib/podnet/work/take")).toBe(`${work} 1\n`);
});

test("the control plane's SSH host is another one: the API server has a certificate for it", () => {
  const { address } = on("cp");
  const other = address.replace(/\d+$/, (last) => String(Number(last) + 100));
  const names = (): string =>
    on("cp").sh("openssl x509 -in /etc/kubernetes/pki/apiserver.crt -noout -ext subjectAltName");
  on("cp").sh(`ip addr add ${other}/24 dev eth0`);
  expect(names()).not.toContain(`IP Address:${other}`);
  declare({ cp: { ...CP, host: other, internalIp: address }, w1: W1 });
  // The check and the objects of the cluster go by that address.
  mustUp();
  const kubeconfig = must("pulumi", ["stack", "output", "kubeconfig", "--show-secrets", "--stack", STACK]);
  expect(kubeconfig).toContain(`server: https://${other}:6443`);
  expect(names()).toContain(`IP Address:${other}`);
  declare({ cp: CP, w1: W1 });
  mustUp();
  on("cp").sh(`ip addr del ${other}/24 dev eth0`);
});

describe("a worker", () => {
  test("that is renamed on its machine is refused before anything is done, and back again is itself", () => {
    const state = stateAtWork(on("w1"));
    declare({ cp: CP, x1: { ...W1, machine: "w1" } });
    const { code, out, err } = up();
    expect(code).not.toBe(0);
    expect(out + err).toContain(
      "x1: it is node w1 of this cluster, and a node keeps its name: leave it w1, or take w1 out of the program, run the update, and then add x1",
    );
    expect(nodes()).toEqual(["cp 10.244.3.0/24", "w1 10.244.4.0/24"]);
    expect(differences(state, stateAtWork(on("w1")))).toEqual({ gone: [], came: [] });
    declare({ cp: CP, w1: W1 });
    mustUp();
  });

  test("gets another kubeletConfig in place, and has its old one where its kubelet does not run with it", async () => {
    const most = (): string =>
      on("cp").sh(
        "KUBECACHEDIR=/tmp/cache KUBERC=off kubectl --kubeconfig /etc/kubernetes/admin.conf get node w1 -o 'jsonpath={.status.capacity.pods}'",
      );
    expect(most()).toBe("110");
    declare({ cp: CP, w1: { ...W1, kubeletConfig: { maxPods: 57 } } });
    mustUp();
    await expect.poll(most, { timeout: 30_000 }).toBe("57");
    declare({ cp: CP, w1: { ...W1, kubeletConfig: { maxPods: 58, featureGates: { NoSuchGate: true } } } });
    const refused = up();
    expect(refused.code).not.toBe(0);
    expect(refused.out + refused.err).toContain(
      "podnet join on w1: the kubelet does not run with this kubeletConfig, and has its old one again; correct it.",
    );
    expect(on("w1").sh("systemctl is-active kubelet")).toBe("active\n");
    declare({ cp: CP, w1: W1 });
    mustUp();
    await expect.poll(most, { timeout: 30_000 }).toBe("110");
  });

  test("gets another slot: it is drained, joins anew, and is proven; why it did not join comes first", () => {
    declare({ cp: CP, w1: { slot: 5, kubeletConfig: { featureGates: { NoSuchGate: true } } } });
    const refused = up();
    expect(refused.code).not.toBe(0);
    const said = `${refused.out}${refused.err}`.split("\n").map((line) => line.trim());
    const error = said.findIndex((line) => line.startsWith("error: Process exited"));
    expect(said.slice(error + 1, error + 3)).toEqual([
      "taking the network bridge off w1",
      expect.stringMatching(/^node w1: the kubelet's last error: .*unrecognized feature gate: NoSuchGate$/),
    ]);
    declare({ cp: CP, w1: { slot: 5 } });
    mustUp();
    expect(nodes()).toEqual(["cp 10.244.3.0/24", "w1 10.244.5.0/24"]);
  });

  test("whose resources were lost from the state is found as it is, and applied once more", () => {
    const { resources } = (
      JSON.parse(must("pulumi", ["stack", "export", "--stack", STACK])) as {
        deployment: { resources: { urn: string }[] };
      }
    ).deployment;
    const take = resources.map(({ urn }) => urn).find((urn) => urn.endsWith("::cluster-w1-take")) ?? "";
    must("pulumi", ["state", "delete", take, "--target-dependents", "--yes", "--stack", STACK]);
    mustUp();
    expect(on("w1").sh("cut -d' ' -f2 /var/lib/podnet/work/take")).toBe("2\n");
    expect(nodes()).toEqual(["cp 10.244.3.0/24", "w1 10.244.5.0/24"]);
  });

  test("that is taken out leaves its machine as it was, once its login shell does what it is told", () => {
    declare({ cp: CP });
    loginShell("w1", "/bin/true");
    const refused = up();
    loginShell("w1", "/bin/bash");
    expect(refused.code).not.toBe(0);
    expect(refused.out + refused.err).toContain(
      "these machines do not do what they are told, so nothing would be taken off them; nothing on any machine was undone:",
    );
    expect(refused.out + refused.err).toContain('node "w1": the phase hold gave no answer');
    mustUp();
    expect(nodes()).toEqual(["cp 10.244.3.0/24"]);
    expect(differences(before["w1"] ?? [], machineState(on("w1")))).toEqual({ gone: [], came: [] });
  });

  test("whose machine died is refused to be taken out, with the way on, and then goes by it", () => {
    declare({ cp: CP, w1: W1 });
    mustUp();
    on("w1").stop();
    declare({ cp: CP });
    const refused = up();
    expect(refused.code).not.toBe(0);
    expect(refused.out + refused.err).toContain(
      `w1: it is no longer declared, and its machine does not answer at ${on("w1").address} port 22 (`,
    );
    expect(refused.out + refused.err).toContain("declare the node again with gone: true, run the update");
    expect(refused.seconds).toBeLessThan(60);
    declare({ cp: CP, w1: { ...W1, gone: true } });
    mustUp();
    expect(nodes()).toEqual(["cp 10.244.3.0/24"]);
    declare({ cp: CP });
    mustUp();
    const { resources } = (
      JSON.parse(must("pulumi", ["stack", "export", "--stack", STACK])) as {
        deployment: { resources: { urn: string }[] };
      }
    ).deployment;
    expect(resources.map(({ urn }) => urn).filter((urn) => urn.includes("w1"))).toEqual([]);
  });
});

test("a destroyed stack leaves its machine as it was, once its login shell does what it is told", () => {
  loginShell("cp", "/bin/true");
  const refused = run("pulumi", ["destroy", "--yes", "--skip-preview", ...stack]);
  loginShell("cp", "/bin/bash");
  expect(refused.code).not.toBe(0);
  expect(refused.out + refused.err).toContain('node "cp": the phase hold gave no answer');
  expect(nodes()).toEqual(["cp 10.244.3.0/24"]);
  must("pulumi", ["destroy", "--yes", "--skip-preview", ...stack]);
  expect(differences(before["cp"] ?? [], machineState(on("cp")))).toEqual({ gone: [], came: [] });
});
