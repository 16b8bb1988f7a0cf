import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Asked } from "../../../../components/node/preflight";
import { parseNodeStatus } from "../../../../components/node/status";
import { bundled, Machine } from "./machine";
import { BRIDGE, DECLARED, NONCE, preflightQuestion, TAKE } from "./node";

const program = bundled();

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make();
  machine.write("/etc/resolv.conf", "nameserver 192.0.2.1\n");
  machine.write("/etc/machine-id", "4d5a8c0f2b3e4f6a8c0f2b3e4d5a8c0f\n");
});
afterEach(() => machine.close());

/** What the preflight says of the machine. */
async function look(declared: Asked = DECLARED): Promise<{ facts: string[]; findings: string[] }> {
  const text = preflightQuestion(program, declared);
  const { code, stdout, stderr } = await machine.exec(["bash", "--norc", "-p", "-s"], text);
  expect([code, stderr]).toEqual([0, ""]);
  const lines = stdout.split("\n").slice(0, -1);
  expect(lines.pop()).toBe(`podnet ${NONCE} 0`);
  const own = lines.map((line) => line.slice(`podnet ${NONCE} | `.length));
  return {
    facts: own.flatMap((line) => (line.startsWith("fact ") ? [line.slice(5)] : [])),
    findings: own.flatMap((line) => (line.startsWith("machine ") ? [line.slice(8)] : [])),
  };
}
const findings = async (declared?: Asked): Promise<string[]> => (await look(declared)).findings;

test("a machine with nothing on it is fit, tells what it is compared by, and stays as it was", async () => {
  const before = await machine.snapshot();
  const { facts, findings: found } = await look();
  expect(found).toEqual([]);
  expect(facts.map((fact) => fact.replace(/^clock [0-9]{13}$/, "clock N"))).toEqual([
    "clock N",
    "machine-id 4d5a8c0f2b3e4f6a8c0f2b3e4d5a8c0f",
    "hostname machine",
  ]);
  expect(await machine.snapshot()).toEqual(before);
});

describe("a machine full of other things", () => {
  test("is refused with every obstacle at once, each with its remedy, and stays as it was", async () => {
    machine.write("/usr/local/bin/ctr", "theirs", 0o755);
    machine.write("/opt/cni/bin/bridge", "theirs", 0o755);
    machine.write("/etc/kubernetes/pki/mine.key", "secret", 0o600);
    machine.write("/etc/kubernetes/super-admin.conf", "theirs");
    machine.write("/etc/kubernetes/mine.yaml", "stays beside");
    machine.write("/etc/crictl.yaml", "stays beside");
    machine.write("/etc/podnet/mine", "stays beside");
    machine.write("/etc/cni/net.d/05-other.conflist", "{}");
    machine.write("/etc/cni/net.d/99-other.conflist", "stays beside");
    machine.write("/etc/sysctl.d/90-podnet.conf", "theirs");
    machine.write("/var/lib/podnet/mine/x", "theirs");
    machine.write("/var/lib/podnet/before", "of a take that was interrupted");
    machine.write("/etc/containerd/conf.d/mirror.toml", "theirs");
    machine.write("/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", "prod");
    machine.write("/var/lib/containerd/lost+found/x", "");
    machine.write("/var/lib/kubelet/pods/x", "data");
    machine.write("/usr/local/lib/systemd/system/kubelet.service", "theirs");
    await machine.sh(`
ln -s /nowhere /etc/systemd/system/podnet-network.service
mkdir -p /run/systemd/system; ln -s /dev/null /run/systemd/system/containerd.service
ip link add cni0 type bridge
ip route add 198.51.100.0/24 dev eth0 proto 71
ip route add 10.244.128.0/17 via 192.0.2.1
ip route add 10.0.0.0/8 via 192.0.2.1
nft add table ip podnet
nft 'add chain ip podnet x'
nft add table inet theirs
nft 'add chain inet theirs forward { type filter hook forward priority 0; policy drop; }'`);
    const before = await machine.snapshot();
    const found = await findings();
    expect(found.map((line) => line.replace(/holds \S+ of/, "holds N of"))).toEqual([
      "/etc/kubernetes/super-admin.conf belongs to another installation; move it away first",
      "/etc/kubernetes/pki/mine.key belongs to another installation; move it away first",
      "/etc/systemd/system/podnet-network.service belongs to another installation; move it away first",
      "/etc/sysctl.d/90-podnet.conf belongs to another installation; move it away first",
      "/usr/local/bin/ctr belongs to another installation; move it away first",
      "/opt/cni/bin/bridge belongs to another installation; move it away first",
      "/var/lib/podnet/mine belongs to another installation; move it away first",
      "/etc/cni/net.d/05-other.conflist comes before 10-podnet.conflist, so pods would get that network; move it away first",
      "/etc/containerd/conf.d holds settings that containerd reads beside podnet's; move them away first",
      "/var/lib/kubelet holds N of somebody's data (pods); move it away, or use another machine",
      "/var/lib/containerd holds N of somebody's data (io.containerd.metadata.v1.bolt); move it away, or use another machine",
      "the unit containerd is masked by /run/systemd/system/containerd.service; run systemctl unmask containerd first",
      "/usr/local/lib/systemd/system/kubelet.service is a unit of the machine's own, whose name podnet needs; remove its package first",
      "there is a link cni0, the name of the bridge that podnet gives pods; remove it first (ip link delete cni0)",
      "there are routes of protocol 71, which podnet takes for its own; give them another one (ip -4 route show table all proto 71)",
      "an nftables table ip podnet is there, the name of podnet's own; take it away first (nft delete table ip podnet)",
      'the route "10.244.128.0/17 via 192.0.2.1 dev eth0" leads to addresses of the pod-cidr 10.244.0.0/16; choose another one, or take the route away',
      'the route "10.0.0.0/8 via 192.0.2.1 dev eth0" leads to addresses of the pod-cidr 10.244.0.0/16; choose another one, or take the route away',
      'the route "10.0.0.0/8 via 192.0.2.1 dev eth0" leads to addresses of the service-cidr 10.96.0.0/16; choose another one, or take the route away',
      "nft's chain inet theirs forward drops what the machine forwards, pods' packets too; let them pass first (nft insert rule inet theirs forward ip saddr 10.244.0.0/16 accept; nft insert rule inet theirs forward ip daddr 10.244.0.0/16 accept)",
    ]);
    expect(await machine.snapshot()).toEqual(before);
    await machine.sh("nft add rule inet theirs forward ip saddr 10.244.0.0/16 accept");
    expect((await findings()).filter((line) => line.startsWith("nft's chain"))).toEqual([]);
  });

  test("is a node of another already: that alone is said", async () => {
    machine.write("/var/lib/podnet/owner", "99999999-2222-3333-4444-555555555555 cp prod\n");
    machine.write("/etc/containerd/config.toml", "theirs");
    expect(await findings()).toEqual([
      "it belongs to node cp of the podnet cluster prod (owner 99999999-2222-3333-4444-555555555555); destroy that one first, or take this machine out of it; if it is this program's own cluster, whose state was lost, give the Cluster its owner as the argument owner",
    ]);
  });

  test("is a node of this cluster under another name: a rename is refused, and back again it is itself", async () => {
    machine.upload(program);
    await machine.does("take", TAKE);
    expect(await findings({ ...DECLARED, node: "x1" })).toEqual([
      "it is node w1 of this cluster, and a node keeps its name: leave it w1, or take w1 out of the program, run the update, and then add x1",
    ]);
    machine.write("/etc/containerd/config.toml", "podnet's");
    const { facts, findings: found } = await look();
    expect(found).toEqual([]);
    expect(facts).toContain("mark own");
  });

  test.each([
    ["worker", 10250, true],
    ["worker", 6443, false],
    ["control-plane", 6443, true],
    ["control-plane", 2380, true],
    ["control-plane", 16443, false],
  ])("has a port in use: %s %i", async (role, port, refused) => {
    machine.answers("ss", `echo 'LISTEN 0 128 0.0.0.0:${String(port)} 0.0.0.0:* users:(("haproxy",pid=77,fd=3))'`);
    machine.standIn("ss");
    machine.standIn("nproc");
    machine.answers("nproc", "echo 2");
    expect(await findings({ ...DECLARED, role })).toEqual(
      refused
        ? [`port ${String(port)} is in use by haproxy (process 77), and Kubernetes needs it; stop what listens there`]
        : [],
    );
  });

  test("has what the network would take for its own", async () => {
    machine.write("/opt/cni/bin/flannel", "theirs", 0o755);
    expect(await findings({ ...DECLARED, path: ["/opt/cni/bin/flannel", "/sys/class/net/flannel.1"] })).toEqual([
      "/opt/cni/bin/flannel is there, and the network would take it for its own; take it away first",
    ]);
    expect(await findings()).toEqual([]);
  });
});

describe("rules of another Kubernetes or network", () => {
  const said = (chains: string, version = ""): string =>
    `there are chains of another Kubernetes or pod network in iptables (${chains}); take it away, and then what it left (ip${version}tables-save | sed -nE '/^[*C]/p; s/^-A (.* -[jg] (KUBE-|FLANNEL-|CILIUM_))/-D \\1/p' | ip${version}tables-restore --noflush; ip${version}tables-save | sed -nE '/^[*C]/p; s/^:((KUBE-|FLANNEL-|CILIUM_)[^ ]*).*/-F \\1\\n-X \\1/p' | ip${version}tables-restore --noflush)`;

  test.each([
    [
      "iptables -t nat -N KUBE-SERVICES; iptables -N KUBE-FORWARD; iptables -A KUBE-FORWARD -j MINE; iptables -I FORWARD -j KUBE-FORWARD",
      said("KUBE-FORWARD, KUBE-SERVICES"),
    ],
    ["for n in A B C D E; do iptables -N FLANNEL-$n; done", said("FLANNEL-A, FLANNEL-B, FLANNEL-C, ...")],
    ["ip6tables -t mangle -N CILIUM_PRE_mangle", said("CILIUM_PRE_mangle", "6")],
    [
      "nft add table ip kube-proxy",
      "an nftables table ip kube-proxy is there, of another kube-proxy; take that away, and then its table (nft delete table ip kube-proxy)",
    ],
  ])("are refused, and go by what is said: %s", async (rules, finding) => {
    machine.upload(program);
    await machine.sh(`iptables -N MINE; iptables -A FORWARD -j MINE; iptables-save | iptables-restore`);
    const before = await machine.sh("iptables -S");
    await machine.sh(rules);
    expect(await findings()).toEqual([finding]);
    expect((await machine.run("take", TAKE)).stderr).toContain(finding);
    await machine.sh(/[(]((nft|ip6?tables-save) .*)[)]$/.exec(finding)?.[1] ?? "false");
    expect(await machine.sh("iptables -S")).toBe(before);
    await machine.does("take", TAKE);
  });

  test("are an own node's own", async () => {
    machine.upload(program);
    await machine.does("take", TAKE);
    await machine.sh("iptables -N KUBE-FORWARD; nft add table ip kube-proxy");
    expect(await findings()).toEqual([]);
  });
});

describe("a chain of nftables at forward", () => {
  const chain = (rules: string, policy = "accept"): string => `
nft add table inet theirs
nft 'add chain inet theirs other'
nft 'add chain inet theirs forward { type filter hook forward priority 0; policy ${policy}; }'
${rules}`;
  const said = (detail: string): string[] => [`nft's chain ${detail}`];
  const FORWARD = said(
    "ip filter FORWARD drops what the machine forwards, pods' packets too; let them pass first (nft insert rule ip filter FORWARD ip saddr 10.244.0.0/16 accept; nft insert rule ip filter FORWARD ip daddr 10.244.0.0/16 accept)",
  );
  const theirs = said(
    "inet theirs forward drops what the machine forwards, pods' packets too; let them pass first (nft insert rule inet theirs forward ip saddr 10.244.0.0/16 accept; nft insert rule inet theirs forward ip daddr 10.244.0.0/16 accept)",
  );

  test.each([
    ["whose last rule rejects all", "nft add rule inet theirs forward reject with icmpx admin-prohibited"],
    ["whose last rule drops all and counts", "nft add rule inet theirs forward counter drop"],
    [
      "whose last rule logs and drops all",
      `nft 'add rule inet theirs forward counter log prefix "drop: " level info flags tcp options drop comment "x"'`,
    ],
    [
      "that jumps to one that drops all",
      "nft add rule inet theirs other drop; nft add rule inet theirs forward jump other; nft add rule inet theirs forward counter",
    ],
    [
      "that goes to one that rejects all",
      "nft add rule inet theirs other counter reject; nft add rule inet theirs forward counter goto other",
    ],
    ["that drops what is new", "nft add rule inet theirs forward ct state new drop"],
    ["that drops what is new or invalid", "nft 'add rule inet theirs forward ct state { invalid, new } counter drop'"],
    ["that drops what is not known", "nft add rule inet theirs forward ct state != established,related drop"],
  ])("%s is named", async (_, rules) => {
    await machine.sh(chain(`nft add rule inet theirs forward ct state established accept\n${rules}`));
    expect(await findings()).toEqual(theirs);
    await machine.sh("nft add rule inet theirs other ip saddr 10.244.0.0/16 accept");
    expect(await findings()).toEqual([]);
  });

  test.each([
    ["whose last rule drops some", "nft add rule inet theirs forward ct state invalid drop"],
    ["with a chain beside it that drops all", "nft add rule inet theirs other drop"],
    [
      "that accepts what is new",
      "nft add rule inet theirs forward ct state new accept; nft add rule inet theirs forward drop",
    ],
    [
      "that lets what is not on a list return from one that drops",
      "nft add rule inet theirs other ip saddr != 203.0.113.0/24 return; nft add rule inet theirs other drop; nft add rule inet theirs forward jump other",
    ],
    [
      "that jumps for some to one that drops all",
      "nft add rule inet theirs other drop; nft add rule inet theirs forward ip saddr 203.0.113.0/24 jump other",
    ],
    [
      "that logs a few, and drops some",
      `nft 'add rule inet theirs forward limit rate 3/minute log prefix "drop "'; nft add rule inet theirs forward limit rate over 9/second drop`,
    ],
    ["that has no rules", ""],
  ])("%s is none", async (_, rules) => {
    await machine.sh(chain(rules));
    expect(await findings()).toEqual([]);
  });

  test("of firewalld's is named with firewalld's own remedy", async () => {
    await machine.sh(`
nft add table inet firewalld
nft 'add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }'
nft add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited`);
    expect(await findings()).toEqual(
      said(
        "inet firewalld filter_FORWARD drops what the machine forwards, pods' packets too; let them pass first (firewall-cmd --permanent --zone=trusted --add-source=10.244.0.0/16, the same for the address of every node, then firewall-cmd --reload)",
      ),
    );
  });

  test.each([
    ["by its policy", "iptables -P FORWARD DROP"],
    ["by its last rule", "iptables -A FORWARD -j REJECT"],
    [
      "as ufw does it",
      "iptables -P FORWARD DROP; ip6tables -P FORWARD DROP; iptables -N ufw-reject; iptables -A ufw-reject -j REJECT; iptables -A FORWARD -j ufw-reject",
    ],
  ])("of iptables is opened by podnet itself, or by an agent: %s", async (_, rules) => {
    await machine.sh(rules);
    expect(await findings()).toEqual([]);
  });

  test("of Docker's and libvirt's that is open is none", async () => {
    await machine.sh(`
for name in DOCKER-USER DOCKER-FORWARD DOCKER LIBVIRT_FWI; do iptables -N $name; done
iptables -A DOCKER-USER -j RETURN
iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
iptables -A DOCKER-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A DOCKER-FORWARD -o docker0 -j DOCKER
iptables -A LIBVIRT_FWI -o virbr0 -j REJECT
for name in DOCKER-USER DOCKER-FORWARD LIBVIRT_FWI; do iptables -A FORWARD -j $name; done`);
    expect(await findings()).toEqual([]);
  });

  test("of iptables that podnet would not open is named", async () => {
    await machine.sh("iptables -N REST; iptables -A REST -j DROP; iptables -A FORWARD -j REST");
    expect(await findings()).toEqual(FORWARD);
    await machine.sh("iptables -F FORWARD; iptables -A FORWARD -m conntrack --ctstate NEW -j DROP");
    expect(await findings()).toEqual(FORWARD);
  });

  test.each([
    ["there is no program iptables", "rm -f /usr/sbin/iptables*"],
    [
      "the program iptables is the legacy one",
      "for p in iptables iptables-save iptables-restore; do ln -sf /opt/real/${p/iptables/iptables-legacy} /usr/sbin/$p; done",
    ],
  ])("with the name of iptables' own is named where %s, in the status too", async (_, change) => {
    await machine.sh(`nft add table ip filter
nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
mkdir -p /opt/real; mount --bind /usr/sbin /opt/real; mount -t tmpfs t /usr/sbin; ln -s /opt/real/* /usr/sbin/
${change}`);
    expect(await findings()).toEqual(FORWARD);
    await machine.sh(/[(](nft insert [^)]*)[)]$/.exec(FORWARD[0] ?? "")?.[1] ?? "false");
    expect(await findings()).toEqual([]);
    machine.upload(program);
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    const forward = async (): Promise<unknown> => parseNodeStatus(await machine.does("status", {})).forward;
    expect(await forward()).toEqual({ drops: true, accepted: true });
    await machine.sh("nft flush chain ip filter FORWARD");
    expect(await forward()).toEqual({ drops: true, accepted: false });
  });
});

describe("a table of routes that is looked into before main", () => {
  const said = (route: string, table: string, what: string): string =>
    `the route "${route}" of the table ${table}, which a rule has looked into before main (ip rule), leads to addresses of the ${what}; choose another one, take the route away, or have the table leave them (ip route add throw ${what.split(" ")[1] ?? ""} table ${table})`;
  const TEN = "10.0.0.0/8 dev eth0 scope link";
  const [PODS, SERVICES] = ["pod-cidr 10.244.0.0/16", "service-cidr 10.96.0.0/16"];

  test("is named where its routes lead to pods or services, until it throws them", async () => {
    await machine.sh("ip route add 10.0.0.0/8 dev eth0 table 52; ip rule add pref 5270 lookup 52");
    expect(await findings()).toEqual([said(TEN, "52", PODS), said(TEN, "52", SERVICES)]);
    await machine.sh("ip route add throw 10.244.0.0/16 table 52; ip route add throw 10.96.0.0/16 table 52");
    expect(await findings()).toEqual([]);
    await machine.sh("ip route add 10.244.3.0/24 dev eth0 table 52");
    expect(await findings()).toEqual([said("10.244.3.0/24 dev eth0 scope link", "52", PODS)]);
  });

  test("is named for a default route, by which pods' own are never found", async () => {
    await machine.sh("ip route add default dev eth0 table 200; ip rule add not fwmark 7 lookup 200");
    expect(await findings()).toEqual([said("default dev eth0 scope link", "200", PODS)]);
    // As WireGuard's own tool does it.
    await machine.sh("ip rule add lookup main suppress_prefixlength 0");
    expect(await findings()).toEqual([]);
  });

  test.each([
    ["after main", "ip rule add pref 32767 lookup 52"],
    ["for a source of the machine's", "ip rule add from 192.0.2.11 lookup 52"],
    ["for marked packets", "ip rule add fwmark 7 lookup 52"],
    ["by nobody", ""],
    ["where none is", "ip rule add pref 10 lookup 77"],
  ])("is none that is looked into %s", async (_, rule) => {
    await machine.sh(`ip route add 10.0.0.0/8 dev eth0 table 52; ${rule}`);
    expect(await findings()).toEqual([]);
  });
});

describe("machines that the node will talk to", () => {
  const peer = ["cp 192.0.2.11 6443", "w2 192.0.2.11 10250"];
  const said = (name: string, port: number, reason: string, ip = "192.0.2.11"): string =>
    `it does not reach node ${name} at ${ip} port ${String(port)} (${reason}), and the cluster needs that; let TCP to that port pass in the firewalls of both machines and between them, and see that ${ip} is where node ${name} answers the others`;

  test("answer by a service, or by refusing where none listens yet", async () => {
    expect(await findings({ ...DECLARED, peer })).toEqual([]);
  });

  test("are named where a firewall rejects or drops, or no machine is there, before and after the machine is a node", async () => {
    await machine.sh(`
nft add table inet theirs
nft 'add chain inet theirs input { type filter hook input priority 0; policy accept; }'
nft add rule inet theirs input tcp dport 6443 reject with icmpx admin-prohibited
nft add rule inet theirs input tcp dport 10250 drop`);
    const found = [
      said("cp", 6443, "No route to host"),
      said("w2", 10250, "no answer within 5 s"),
      said("w3", 10250, "No route to host", "192.0.2.99"),
    ];
    const declared = { ...DECLARED, peer: [...peer, "w3 192.0.2.99 10250"] };
    expect((await findings(declared)).sort()).toEqual(found);
    machine.upload(program);
    await machine.does("take", TAKE);
    expect((await findings(declared)).sort()).toEqual(found);
  });
});

test("a link that is too narrow for the declared MTU is named, with what the network puts around a packet, on a node too", async () => {
  const said = (mtu: number, most: number, needed: number): string =>
    `mtu ${String(mtu)} is more than the ${String(most)} that its link eth0 leaves to pods, and packets between nodes would be lost; declare at most ${String(most)}, or raise the link's MTU to ${String(needed)} on all machines`;
  expect(await findings({ ...DECLARED, mtu: "1500", overhead: "0" })).toEqual([]);
  expect(await findings({ ...DECLARED, mtu: "1450", overhead: "50" })).toEqual([]);
  expect(await findings({ ...DECLARED, mtu: "1501", overhead: "0" })).toEqual([said(1501, 1500, 1501)]);
  machine.upload(program);
  await machine.does("take", TAKE);
  expect(await findings({ ...DECLARED, mtu: "1451", overhead: "50" })).toEqual([said(1451, 1450, 1501)]);
});

describe("nodes that have to be each other's next hops", () => {
  const said = (nodes: string, how: string): string =>
    `it reaches ${nodes} ${how}, and this network needs all nodes on one link-layer segment (a next hop must be on-link). Correct the internalIps, or choose a network that crosses gateways: flannel with the backend vxlan, or cilium with the routing mode tunnel`;

  test("are on the machine's own link, before and after it is a node", async () => {
    expect(await findings({ ...DECLARED, "next-hop": ["w2 192.0.2.12", "w3 192.0.2.13"] })).toEqual([]);
    expect(await findings({ ...DECLARED, "next-hop": [] })).toEqual([]);
  });

  test("are named together where a gateway is between, or no route leads there, also on a node of this cluster", async () => {
    await machine.sh("ip route add 198.51.100.0/24 via 192.0.2.1");
    const hops = ["w2 192.0.2.12", ...[1, 2, 3, 4, 5].map((n) => `x${String(n)} 198.51.100.${String(n)}`)];
    const declared = { ...DECLARED, "next-hop": [...hops, "y1 203.0.113.9"] };
    const found = [
      "it has no route to y1 (203.0.113.9), and the nodes have to reach each other; give it one, or correct the internalIps",
      said("x1 (198.51.100.1), x2 (198.51.100.2), x3 (198.51.100.3) and 2 more", "by the gateway 192.0.2.1 alone"),
    ];
    expect(await findings(declared)).toEqual(found);
    machine.upload(program);
    await machine.does("take", TAKE);
    expect(await findings(declared)).toEqual(found);
  });
});

describe("a machine that is not fit", () => {
  test("has not the address that is declared, now or later", async () => {
    const said = ["no link has the internal IP 192.0.2.99; it has 192.0.2.11/24. Correct the node's internalIp"];
    expect(await findings({ ...DECLARED, "internal-ip": "192.0.2.99" })).toEqual(said);
    machine.upload(program);
    await machine.does("take", TAKE);
    expect(await findings({ ...DECLARED, "internal-ip": "192.0.2.99" })).toEqual(said);
  });

  test("has the address that is declared on lo, or on a link that is down", async () => {
    await machine.sh(
      "ip address add 192.0.2.50/32 dev lo; ip link add eth1 type bridge; ip address add 198.51.100.5/24 dev eth1",
    );
    expect(await findings({ ...DECLARED, "internal-ip": "192.0.2.50" })).toEqual([
      "the internal IP 192.0.2.50 is on lo, which leads to no other machine; correct the node's internalIp, or give the address to the link to the other nodes",
    ]);
    expect(await findings({ ...DECLARED, "internal-ip": "198.51.100.5" })).toEqual([
      "the link eth1, which has the internal IP 198.51.100.5, is down; turn it on (ip link set eth1 up) and see to its cable, or correct the node's internalIp",
    ]);
  });

  test.each([
    ["v2", "echo cpuset cpu io >/stub/controllers", "memory pids"],
    [
      "v1",
      "umount /sys/fs/cgroup/cgroup.controllers; umount /sys/fs/cgroup; sed 's/^\\(memory.*\\)1$/\\10/' /proc/cgroups >/tmp/cgroups; mount --bind /tmp/cgroups /proc/cgroups",
      "memory",
    ],
  ])("lacks controllers of control groups %s", async (_, script, missing) => {
    await machine.sh(script);
    expect(await findings()).toEqual([
      `the kernel has no control group controller ${missing} here, and the kubelet needs them; turn them on in the kernel's command line (take out cgroup_disable, put in cgroup_enable=memory where that one is missing, systemd.unified_cgroup_hierarchy=1 where cgroup v1 has them) and reboot`,
    ]);
  });

  test.each([
    ["127.1.2.3", "which in a pod is CoreDNS itself: it would ask itself for ever and end"],
    ["0.0.0.0", "which in a pod is CoreDNS itself: it would ask itself for ever and end"],
    ["::ffff:127.0.0.53", "which in a pod is CoreDNS itself: it would ask itself for ever and end"],
    ["10.96.0.10", "which is an address of the service-cidr 10.96.0.0/16 of the cluster itself"],
    ["10.244.3.7", "which is an address of the pod-cidr 10.244.0.0/16 of the cluster itself"],
  ])("has a resolver behind a good one that serves no pod: %s", async (address, why) => {
    machine.write("/etc/resolv.conf", `nameserver 192.0.2.1\nnameserver 10.97.0.1\nnameserver ${address}\n`);
    expect(await findings()).toEqual([
      `/etc/resolv.conf names the resolver ${address}, ${why}. Name one that pods reach, or set resolvConf in the node's kubeletConfig to a file that does`,
    ]);
  });

  test("has resolvers of IPv6 alone", async () => {
    machine.write("/etc/resolv.conf", "nameserver 2001:db8::1\nnameserver 2001:db8::2\n");
    expect(await findings()).toEqual([
      "/etc/resolv.conf names IPv6 resolvers alone (2001:db8::1, 2001:db8::2), which pods do not reach: they have IPv4 addresses. Name one by its IPv4 address, or set resolvConf in the node's kubeletConfig to a file that does",
    ]);
    machine.write("/etc/resolv.conf", "nameserver 2001:db8::1\nnameserver 192.0.2.1\n");
    expect(await findings()).toEqual([]);
  });

  test.each(["127.0.0.53", "127.0.0.1", "::1"])("has a resolver that CoreDNS takes for itself: %s", async (address) => {
    machine.write("/etc/resolv.conf", `# stub\nnameserver ${address}\nnameserver 192.0.2.1\n`);
    const said = `names the resolver ${address}, which in a pod is CoreDNS itself: it would ask itself for ever and end. Name one that pods reach, or set resolvConf in the node's kubeletConfig to a file that does`;
    expect(await findings()).toEqual([`/etc/resolv.conf ${said}`]);
    machine.write("/etc/pods-resolv.conf", "nameserver 192.0.2.1\n");
    expect(await findings({ ...DECLARED, resolver: "/etc/pods-resolv.conf" })).toEqual([]);
    // systemd-resolved keeps the servers behind its stub in a file of its own, which kubeadm has the kubelet read.
    machine.write("/run/systemd/resolve/resolv.conf", "nameserver 192.0.2.1\n");
    await machine.sh("touch /stub/active/systemd-resolved");
    expect(await findings()).toEqual([]);
  });

  test("has no resolver", async () => {
    machine.write("/etc/resolv.conf", "search example.com\n");
    expect(await findings()).toEqual([
      '/etc/resolv.conf names no resolver, and CoreDNS ends without one; put a line "nameserver ADDRESS" there, with an address that pods reach',
    ]);
  });

  test("has too little memory, processors or disk, unless that is said to be right", async () => {
    machine.standIn("nproc");
    machine.answers("nproc", "echo 1");
    machine.standIn("df");
    machine.answers("df", "printf 'h\\nx x x 100 x\\n'");
    await machine.sh("echo 'MemTotal: 1048576 kB' >/tmp/meminfo; mount --bind /tmp/meminfo /proc/meminfo");
    const room = [
      "/usr/local/bin has 100 MiB free, and Kubernetes' programs take up to 512 MiB; make room there",
      "/var/lib/containerd has 100 MiB free, and images take up to 2048 MiB; make room there",
    ];
    expect(await findings({ ...DECLARED, role: "control-plane" })).toEqual([
      "it has 1024 MiB of memory, and a control-plane needs 1700 MiB; give it more, or list Mem in the node's ignorePreflightErrors",
      "it has one processor, and a control plane needs two; give it more, or list NumCPU in the node's ignorePreflightErrors",
      ...room,
    ]);
    expect(await findings({ ...DECLARED, role: "control-plane", ignore: ["NumCPU", "Mem"] })).toEqual(room);
    expect(await findings()).toEqual(room);
  });
});

test("a file system that programs cannot be run from is named once", async () => {
  const said = (folder: string, on: string): string =>
    `${folder} cannot hold programs: ${on} is mounted noexec; take that out (mount -o remount,exec ${on}, and in /etc/fstab), or use another machine`;
  await machine.sh("mkdir -p /opt/cni; mount -t tmpfs -o noexec tmpfs /opt; mount -o remount,noexec /usr/local");
  const found = [said("/usr/local/bin", "/usr/local"), said("/opt/cni/bin", "/opt")];
  expect(await findings()).toEqual(found);
  await machine.sh("mount -o remount,exec /opt");
  expect(await findings()).toEqual(found.slice(0, 1));
});

test("a file system of its own that is too small for what goes there is named, once for all that shares it", async () => {
  machine.standIn("nproc");
  machine.answers("nproc", "echo 2");
  const said = (folder: string, free: number, what: string): string =>
    `/var/lib/${folder} has ${String(free)} MiB free, and ${what}; make room there`;
  await machine.sh("mount -t tmpfs -o size=60m tmpfs /var/lib; mkdir /var/lib/{containerd,etcd,kubelet}");
  await machine.sh("mount -t tmpfs -o size=3g tmpfs /var/lib/containerd");
  const downloads = said("podnet", 60, "downloads take up to 600 MiB");
  expect(await findings()).toEqual([downloads]);
  await machine.sh("mount -t tmpfs -o size=50m tmpfs /var/lib/etcd; mount -t tmpfs -o size=40m tmpfs /var/lib/kubelet");
  const pods = said("kubelet", 40, "what pods write take up to 100 MiB");
  expect(await findings()).toEqual([downloads, pods]);
  const objects = said("etcd", 50, "the cluster's objects take up to 512 MiB");
  expect(await findings({ ...DECLARED, role: "control-plane" })).toEqual([downloads, objects, pods]);
});

test("a module that modprobe.d bars is named where it is not loaded already", async () => {
  machine.answers(
    "modprobe",
    `case "$*" in *-nv*" overlay") echo 'install /bin/false ' ;; *-nv*" nf_conntrack") echo 'insmod /lib/x.ko' ;; esac`,
  );
  await machine.sh("mkdir -p /tmp/module; mount --bind /tmp/module /sys/module");
  const said =
    "modprobe.d bars the kernel's module overlay, which podnet needs; take its line out (grep -rw overlay /etc/modprobe.d /run/modprobe.d /usr/lib/modprobe.d)";
  expect(await findings()).toEqual([said]);
  await machine.sh("mkdir /sys/module/overlay");
  expect(await findings()).toEqual([]);
});

describe("a file system that the kubelet would call full at once", () => {
  /** A disk of 1000000 MiB and inodes with this many free of each. */
  const disk = (free: number, inodes: number): void => {
    machine.standIn("df");
    machine.answers(
      "df",
      `case $* in *-Pi*) free=${String(inodes)} ;; *) free=${String(free)} ;; esac; printf 'h\\n/dev/vda1 1000000 1 %s 94%% /\\n' $free`,
    );
  };
  const said = (path: string, seen: string, least: number): string =>
    `the file system of ${path} has ${seen} free, and the kubelet evicts pods below ${String(least)} %; make room there, or set evictionHard in the node's kubeletConfig`;
  const space = said("/var/lib/containerd", "14 % of its space", 15);
  const inodes = said("/var/lib/containerd", "4 % of its inodes", 5);

  test.each([
    [150000, 50000, []],
    [149999, 50000, [space]],
    [150000, 49999, [inodes]],
    [149999, 49999, [space, inodes]],
  ])("is named by its shares: %i MiB and %i inodes of a million", async (free, count, found) => {
    disk(free, count);
    expect(await findings()).toEqual(found);
  });

  test("may be the kubelet's own, which may have less free", async () => {
    await machine.sh("mkdir -p /var/lib/kubelet; mount -t tmpfs tmpfs /var/lib/kubelet");
    disk(149999, 50000);
    expect(await findings()).toEqual([space]);
    disk(99999, 50000);
    expect(await findings()).toEqual([
      said("/var/lib/containerd", "9 % of its space", 15),
      said("/var/lib/kubelet", "9 % of its space", 10),
    ]);
  });

  test("is none where the thresholds are said, or inodes are not counted", async () => {
    disk(99999, 49999);
    expect(await findings({ ...DECLARED, eviction: "declared" })).toEqual([]);
    machine.write("/etc/default/kubelet", 'KUBELET_EXTRA_ARGS="--eviction-hard=nodefs.available<1%"\n');
    expect(await findings()).toEqual([]);
    await machine.sh("rm /etc/default/kubelet");
    machine.answers(
      "df",
      "case $* in *-Pi*) echo h; echo 'x 0 0 0 - /' ;; *) echo h; echo 'x 100000 1 90000 1% /' ;; esac",
    );
    expect(await findings()).toEqual([]);
  });
});

describe("settings of the machine's own that win over podnet's", () => {
  test.each([
    ["/etc/sysctl.d/99-hardening.conf", "net.ipv4.ip_forward=0\n", "net.ipv4.ip_forward = 0", 1],
    ["/etc/sysctl.d/91-x.conf", "# x\n-net/ipv4/conf/all/forwarding = 0\n", "net.ipv4.ip_forward = 0", 2],
    ["/etc/sysctl.conf", "\nnet.bridge.bridge-nf-call-iptables = 0\n", "net.bridge.bridge-nf-call-iptables = 0", 2],
    ["/run/sysctl.d/95-x.conf", "net.ipv4.ip_forward = 0\n", "net.ipv4.ip_forward = 0", 1],
  ])("a later file of kernel settings: %s", async (path, text, setting, line) => {
    machine.write(path, text);
    expect(await findings()).toEqual([
      `${path} line ${String(line)} sets ${setting}, which wins over the 1 that pods need; take it out`,
    ]);
  });

  test.each([
    "net.ipv4.conf.eth0.forwarding",
    "net/ipv4/conf/default/forwarding",
    "net.ipv4.conf.*.forwarding",
    "net.ipv4.conf.eth*.forwarding",
    "net.ipv4.conf.cni0.forwarding",
    "net.ipv4.conf.uplink.forwarding",
  ])("a later file that turns forwarding off for links of pods' packets: %s", async (key) => {
    await machine.sh("ip link add uplink type bridge; ip link set uplink up; ip route add default dev uplink");
    machine.write("/etc/sysctl.d/99-x.conf", `-${key} = 0\n`);
    expect(await findings()).toEqual([
      `/etc/sysctl.d/99-x.conf line 1 sets ${key.replaceAll("/", ".")} = 0, which wins over the 1 that pods need; take it out`,
    ]);
  });

  test("forwarding that is off for a link that carries nothing of pods is none", async () => {
    await machine.sh("ip link add office type bridge; ip link set office up");
    machine.write("/etc/sysctl.d/99-x.conf", "net.ipv4.conf.office.forwarding = 0\nnet.ipv4.conf.lo.forwarding = 0\n");
    expect(await findings()).toEqual([]);
  });

  test("an earlier file, the same value, another setting or a comment is none", async () => {
    const same = "net.ipv4.ip_forward = 1\nkernel.panic = 0\n#net.ipv4.ip_forward = 0\n";
    machine.write("/etc/sysctl.d/10-earlier.conf", "net.ipv4.ip_forward = 0\n");
    machine.write("/etc/sysctl.d/99-later.conf", same);
    machine.write("/etc/sysctl.d/99-later.txt", "net.ipv4.ip_forward = 0\n");
    expect(await findings()).toEqual([]);
  });

  const flags = (names: string): string =>
    `/etc/default/kubelet gives the kubelet ${names}, which wins over podnet's; take it out`;
  const kubeadms =
    "/etc/default/kubelet sets KUBELET_KUBEADM_ARGS, which takes the place of what kubeadm gives the kubelet; take it out";

  test.each([
    [
      "over several lines",
      'KUBELET_EXTRA_ARGS="--v=2 \\\n  --cgroup-driver=cgroupfs \\\n --max-pods=9"\n',
      [flags("--cgroup-driver")],
    ],
    ["in quotes over several lines", "KUBELET_EXTRA_ARGS='--v=2\n--cluster-dns=192.0.2.1'\n", [flags("--cluster-dns")]],
    ["behind blanks", "  KUBELET_EXTRA_ARGS = --fail-swap-on=false --fail-swap-on\n", [flags("--fail-swap-on")]],
    [
      "with another dash",
      "KUBELET_EXTRA_ARGS=--node_ip=192.0.2.7 --v 3 # --read-only-port=0\n",
      [flags("--node-ip --read-only-port")],
    ],
    ["in kubeadm's place", "KUBELET_KUBEADM_ARGS=--v=3\n", [kubeadms]],
    ["in kubeadm's place, none", " KUBELET_KUBEADM_ARGS=\n", [kubeadms]],
    [
      "in a comment",
      "# KUBELET_EXTRA_ARGS=--config=x \\\n KUBELET_EXTRA_ARGS=--config=y\n;KUBELET_KUBEADM_ARGS=x\n",
      [],
    ],
    ["of another variable", "OTHER=--config=x\nKUBELET_EXTRA_ARGS=\n", []],
    [
      "that harm nothing",
      "KUBELET_EXTRA_ARGS=--v=2 --vmodule=x=3 --eviction-hard=memory.available<100Mi --image-gc-high-threshold=100 --kube-reserved=cpu=1 --system-reserved=cpu=1 --max-pods=50 --node-labels=a=b\n",
      [],
    ],
  ])("flags of the kubelet: %s", async (_, text, found) => {
    machine.write("/etc/default/kubelet", text);
    expect(await findings()).toEqual(found);
  });

  test("drop-ins of units that podnet starts, and flags that contradict its own", async () => {
    machine.write("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", "[Service]\nExecStart=\n");
    machine.write("/etc/systemd/system/containerd.service.d/exec.conf", "[Service]\nExecStart=/usr/bin/containerd\n");
    // A proxy for the images is nobody's harm.
    machine.write("/etc/systemd/system/containerd.service.d/proxy.conf", "[Service]\nEnvironment=HTTPS_PROXY=x\n");
    machine.write("/etc/default/kubelet", 'KUBELET_EXTRA_ARGS="--v=2 --node-ip=192.0.2.77 --eviction-hard=x<1%"\n');
    expect(await findings()).toEqual([
      "/etc/systemd/system/containerd.service.d/exec.conf changes what podnet's unit containerd does; move it away",
      "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf changes what podnet's unit kubelet does; move it away",
      "/etc/default/kubelet gives the kubelet --node-ip, which wins over podnet's; take it out",
    ]);
  });
});
