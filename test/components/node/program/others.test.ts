import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answerLines, nonceIn, parametersText } from "../../../../components/node/parameters";
import type { Asked } from "../../../../components/node/preflight";
import { bundled, Machine } from "./machine";
import { agentNetwork, BRIDGE, DECLARED, INIT, installFrom, NONCE, preflightQuestion, TAKE } from "./node";

// What others have on a machine, in places where podnet has its own: it is named before anything is done, or it stays.
const program = bundled();
const FLANNEL: Asked = {
  ...DECLARED,
  kind: "flannel",
  conflist: "10-flannel.conflist",
  path: ["/opt/cni/bin/flannel"],
};
const CILIUM = agentNetwork("cilium", "cilium-native");

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
  machine.write("/etc/resolv.conf", "nameserver 192.0.2.1\n");
  machine.standIn("crictl");
});
afterEach(() => machine.close());

/** What the preflight finds on the machine. `before` is what its login shell prints first. */
async function findings(declared: Asked = DECLARED, before = ""): Promise<string[]> {
  machine.write("/tmp/asked", preflightQuestion(program, declared));
  const { stdout, stderr } = await machine.exec(["bash", "-c", `printf '${before}'; bash --norc -p -s </tmp/asked`]);
  expect(stderr.replace(/^.*hostname: command not found\n/, "")).toBe("");
  return answerLines("w1", "preflight", NONCE, stdout).flatMap((line) => /^machine (.*)$/.exec(line)?.[1] ?? []);
}

/** Takes programs off the machine. */
const without = (names: string): Promise<string> =>
  machine.sh(
    `mkdir -p /opt/real; mount --bind /usr/bin /opt/real; mount -t tmpfs t /usr/bin; /opt/real/ln -s /opt/real/* /usr/bin/; /opt/real/rm -f /usr/bin/${names}`,
  );

describe("data behind links and mounts", () => {
  test("is refused where a folder is a link to it", async () => {
    await machine.sh(`mkdir -p /data/kubelet/pods /data/containerd /data/etcd/member
echo x >/data/kubelet/pods/x; echo x >/data/containerd/meta.db; echo x >/data/etcd/member/db
for name in kubelet containerd etcd; do ln -s /data/$name /var/lib/$name; done`);
    expect((await findings()).map((text) => text.replace(/holds \S+/, "holds SIZE"))).toEqual([
      "/var/lib/etcd holds SIZE of somebody's data (member); move it away, or use another machine",
      "/var/lib/kubelet holds SIZE of somebody's data (pods); move it away, or use another machine",
      "/var/lib/containerd holds SIZE of somebody's data (meta.db); move it away, or use another machine",
    ]);
  });

  test.each(["manifests", "pki", "tmp"])("is refused where kubeadm's folder %s is a link to it", async (name) => {
    await machine.sh(`mkdir -p /data /etc/kubernetes; echo x >/data/theirs; ln -s /data /etc/kubernetes/${name}`);
    const said = `/etc/kubernetes/${name}/theirs belongs to another installation; move it away first`;
    expect(await findings()).toEqual([said]);
    expect((await machine.run("take", TAKE)).stderr).toContain(said);
  });

  test("pods' logs go out of a folder that is a link, and others' there stay", async () => {
    await machine.sh("mkdir -p /data/theirs_x_1 /var/log; ln -s /data /var/log/pods");
    await machine.does("take", TAKE);
    await machine.sh("mkdir -p /data/kube-system_y_2/y");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ls /data; readlink /var/log/pods")).toBe("theirs_x_1\n/data");
  });

  test("that podnet put there goes with it", async () => {
    await machine.sh("mkdir -p /data/containerd; ln -s /data/containerd /var/lib/containerd");
    const install = installFrom(machine);
    machine.answers("ctr", machine.read("/answers/ctr").replace("mkdir -p /var/lib/containerd\n", ""));
    await machine.does("take", TAKE);
    await machine.does("install", install);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ls -A /data/containerd")).toBe("");
  });

  test("stays on a file system that is mounted below the kubelet's folder, with a space in its path", async () => {
    await machine.does("take", TAKE);
    await machine.sh(
      "mkdir -p /data '/var/lib/kubelet/plugins/my disk'; echo precious >/data/x; mount --bind /data '/var/lib/kubelet/plugins/my disk'",
    );
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("cat /data/x")).toBe("precious");
  });
});

test("a link in the place of crictl's settings that leads nowhere at the time stays", async () => {
  await machine.sh("ln -s /mnt/config/crictl.yaml /etc/crictl.yaml");
  const install = installFrom(machine);
  await machine.does("take", TAKE);
  await machine.does("install", install);
  await machine.does("take --undo", TAKE);
  expect(await machine.sh("readlink /etc/crictl.yaml")).toBe("/mnt/config/crictl.yaml");
});

describe("rules that somebody made since the machine was taken", () => {
  test.each([1, 2000])("stay: %i of them in a table that was not there", async (count) => {
    await machine.does("take", TAKE);
    await machine.sh(
      `{ echo '*nat'; for i in $(seq ${String(count)}); do echo "-A POSTROUTING -s 10.9.$((i / 250)).$((i % 250)) -j MASQUERADE"; done; echo COMMIT; } | iptables-restore`,
    );
    const before = await machine.sh("iptables -t nat -S");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("iptables -t nat -S")).toBe(before);
  });

  test("stay: the policy of a built-in chain", async () => {
    await machine.does("take", TAKE);
    await machine.sh("iptables -P FORWARD DROP");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("iptables -S FORWARD")).toBe("-P FORWARD DROP");
  });
});

describe("an owner's own rules, which iptables shows and does not understand", () => {
  const CANARY = "iptables -t mangle -N KUBE-KUBELET-CANARY; ip6tables -t nat -N KUBE-KUBELET-CANARY";
  const rules = (): Promise<string> => machine.sh("nft list ruleset");

  test.each([
    [
      "sets, and a chain with a hook of its own",
      `table ip filter {
        chain INPUT { type filter hook input priority 0; policy accept; ip saddr { 203.0.113.7, 203.0.113.9 } drop; tcp dport { 80, 443 } accept; }
        chain guard { type filter hook forward priority -10; policy accept; ip saddr 203.0.113.0/24 drop; tcp dport 80 accept; }
      }`,
    ],
    [
      "addresses that it translates",
      `table ip nat {
        chain prerouting { type nat hook prerouting priority dstnat; tcp dport 8443 dnat to 198.51.100.9:443; }
        chain postrouting { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
      }`,
    ],
    [
      "a rule that it cannot save",
      "table ip filter { chain INPUT { type filter hook input priority 0; tcp dport 25 meta skuid 1000 drop; }\n}",
    ],
  ])("stay as they are when the node is given back: %s", async (_, text) => {
    machine.write("/tmp/rules", text);
    await machine.sh("nft -f /tmp/rules");
    const before = await rules();
    await machine.does("take", TAKE);
    await machine.sh(CANARY);
    await machine.does("take --undo", TAKE);
    expect(await rules()).toBe(before);
  });

  test("stay as they are where a network takes kube-proxy's place", async () => {
    await machine.sh(
      "nft add table ip nat; nft 'add chain ip nat post { type nat hook postrouting priority srcnat; }'; nft add rule ip nat post oifname eth0 masquerade",
    );
    const before = await machine.sh("nft list table ip nat");
    await machine.does("take", TAKE);
    await machine.sh("iptables -N KUBE-SERVICES; iptables -A INPUT -j KUBE-SERVICES");
    await machine.does("network", { ...CILIUM, "replaces-kube-proxy": "yes" });
    expect(await machine.sh("nft list table ip nat")).toBe(before);
    expect(await machine.sh("iptables -S")).not.toContain("KUBE-SERVICES");
  });

  test.each([
    ["cilium", CILIUM],
    ["flannel", agentNetwork("flannel", "flannel-vxlan")],
    ["kube-router", agentNetwork("kube-router", "kube-router")],
  ])("stay where a comment alone speaks of Kubernetes or a network, when %s leaves", async (_, network) => {
    await machine.sh(`iptables -A INPUT -p tcp --dport 6443 -m comment --comment "KUBE-API from the LB" -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -m comment --comment "not CILIUM_ nor FLANNEL- nor kube-router" -j ACCEPT`);
    const before = await rules();
    await machine.does("take", TAKE);
    await machine.does("network", network);
    await machine.does("take --undo", TAKE);
    expect(await rules()).toBe(before);
  });

  test("do not keep the machine from being given back where iptables cannot list them", async () => {
    await machine.does("take", TAKE);
    machine.standIn("ip6tables-save");
    machine.answers("ip6tables-save", "exit 1");
    await machine.does("take --undo", TAKE);
    expect(machine.has("/var/lib/podnet")).toBe(false);
  });
});

describe("a folder that is a link to a disk which is not there", () => {
  test.each(["kubelet", "containerd"])("is named before the machine is taken: %s", async (name) => {
    await machine.sh(`ln -s /data/${name} /var/lib/${name}`);
    expect(await findings()).toEqual([
      `/var/lib/${name} is a link to /data/${name}, which is not there; mount its disk, or make that folder`,
    ]);
  });

  test.each(["kubelet", "containerd"])("costs no mount of the machine's when it is given back: %s", async (name) => {
    await machine.sh(
      `mkdir -p /data/disk/${name} /srv/pg; ln -s /data/disk/${name} /var/lib/${name}; mount -t tmpfs tmpfs /srv/pg; echo precious >/srv/pg/x`,
    );
    await machine.does("take", TAKE);
    await machine.sh("rm -rf /data/disk");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh(`cat /srv/pg/x; readlink /var/lib/${name}`)).toBe(`precious\n/data/disk/${name}`);
  });
});

describe("what only looks like podnet's", () => {
  test("namespaces without a link of a pod's stay, and so does the MTU of the machine's own link", async () => {
    await machine.sh(`ip netns add cni-none; ip netns add cni-macvlan
ip link add link eth0 name mv0 type macvlan mode bridge; ip link set mv0 netns cni-macvlan name eth0; ip -n cni-macvlan link set eth0 up`);
    await machine.does("take", TAKE);
    await machine.sh(`ip netns add cni-late; ip netns add cni-ptp
ip link add vethq type veth peer name eth0 netns cni-ptp; ip link set vethq up`);
    await machine.does("network", { ...BRIDGE, mtu: 1400 });
    const mtus =
      "cat /sys/class/net/eth0/mtu /sys/class/net/vethq/mtu; ip -n cni-macvlan -o link show eth0 | grep -o 'mtu [0-9]*'";
    expect(await machine.sh(mtus)).toBe("1500\n1500\nmtu 1500");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ip netns list | sed 's/ .*//' | sort")).toBe("cni-late\ncni-macvlan\ncni-none\ncni-ptp");
  });

  test.each([
    ["cilium", CILIUM, "lxc1", ""],
    ["kube-router", agentNetwork("kube-router", "kube-router"), "veth1", "kube-bridge"],
    ["bridge", BRIDGE, "veth1", "cni0"],
  ])("a pod's namespace goes whose link %s takes away first", async (_, network, link, bridge) => {
    await machine.does("take", TAKE);
    await machine.does("network", network);
    await machine.sh(`ip netns add cni-pod; ip link add ${link} type veth peer name eth0 netns cni-pod; ip link set ${link} up
[ -z "${bridge}" ] || { ip link add ${bridge} type bridge; ip link set ${link} master ${bridge}; }`);
    await machine.does("network --undo", network);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ip netns list")).toBe("");
  });

  test("a namespace of containerd's own goes, whether its pod has a link yet or not", async () => {
    await machine.does("take", TAKE);
    await machine.sh("ip netns add cni-starting");
    machine.write(
      "/run/containerd/io.containerd.runtime.v2.task/k8s.io/0a1b/config.json",
      '{"linux":{"namespaces":[{"type":"network","path":"/var/run/netns/cni-starting"}]}}',
    );
    await machine.does("network", BRIDGE);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ip netns list")).toBe("");
  });

  test("host ports of another network stay that is called as an agent's is", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(HOST_PORTS + hostPort("mynet", "CNI-DN-aaaa", "10.89.0.5"));
    const before = await machine.sh("iptables -t nat -S");
    await machine.sh(hostPort("mynet", "CNI-DN-bbbb", "10.244.1.5"));
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("iptables -t nat -S")).toBe(before);
  });

  test("namespaces of podman's keep their MTU, and live on", async () => {
    const name = "cni-5e3b1f0a-aaaa-bbbb-cccc-000000000001";
    await machine.sh(`ip link add cni-podman0 type bridge; ip link set cni-podman0 up; ip netns add ${name}
ip link add vethp type veth peer name eth0 netns ${name}; ip link set vethp master cni-podman0 up`);
    await machine.does("take", TAKE);
    await machine.does("network", { ...BRIDGE, mtu: 1400 });
    expect(await machine.sh("cat /sys/class/net/vethp/mtu /sys/class/net/cni-podman0/mtu")).toBe("1500\n1500");
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ip netns list")).toContain(name);
  });

  /** What the plugin portmap makes for a pod's host port, by its backend for iptables. */
  const hostPort = (name: string, chain: string, address: string): string => `
iptables -t nat -N ${chain}
iptables -t nat -A ${chain} -s ${address} -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
iptables -t nat -A ${chain} -p tcp -m tcp --dport 8080 -j DNAT --to-destination ${address}:80
iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment 'dnat name: "${name}" id: "77aa"' -m multiport --dports 8080 -j ${chain}`;
  const HOST_PORTS = `
for name in DNAT SETMARK MASQ; do iptables -t nat -N CNI-HOSTPORT-$name; done
iptables -t nat -A CNI-HOSTPORT-SETMARK -m comment --comment 'CNI portfwd masquerade mark' -j MARK --set-xmark 0x2000/0x2000
iptables -t nat -A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
iptables -t nat -A POSTROUTING -m comment --comment 'CNI portfwd requiring masquerade' -j CNI-HOSTPORT-MASQ
for chain in PREROUTING OUTPUT; do iptables -t nat -A $chain -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT; done`;
  /** The same by its backend for nftables. */
  const nftHostPort = (address: string): string => `
nft 'add rule ip cni_hostport hostports tcp dport 8080 dnat to ${address}:80 comment "77aa"'
nft 'add rule ip cni_hostport hostports ip daddr 192.0.2.11 tcp dport 8081 dnat to ${address}:80 comment "77aa"'
nft 'add rule ip cni_hostport masquerading ip saddr ${address} ip daddr ${address} masquerade comment "77aa"'
nft 'add rule ip cni_hostport masquerading ip saddr 127.0.0.1 ip daddr ${address} masquerade comment "77aa"'`;
  const NFT_HOST_PORTS = `
nft 'add table ip cni_hostport { comment "CNI portmap plugin"; }'
for name in hostports hostip_hostports hostports_all; do nft "add chain ip cni_hostport $name"; done
nft add rule ip cni_hostport hostports_all jump hostports
nft 'add chain ip cni_hostport prerouting { type nat hook prerouting priority dstnat; }'
nft add rule ip cni_hostport prerouting fib daddr type local jump hostports_all
nft 'add chain ip cni_hostport masquerading { type nat hook postrouting priority srcnat; }'`;
  const rules = (): Promise<string> => machine.sh("nft -s list ruleset");

  test("host ports of podman's stay, and those of podnet's pods go", async () => {
    const theirs = ["10.88.0.5", "10.88.0.6"] as const;
    await machine.sh(HOST_PORTS + hostPort("podman", "CNI-DN-aaaa", theirs[0]));
    await machine.sh(NFT_HOST_PORTS + nftHostPort(theirs[0]));
    await machine.sh("iptables-save | iptables-restore");
    const before = await rules();
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(hostPort("podnet", "CNI-DN-bbbb", "10.244.1.5") + nftHostPort("10.244.1.5"));
    expect(await rules()).toContain("10.244.1.5");
    await machine.does("network --undo", BRIDGE);
    await machine.does("take --undo", TAKE);
    expect(await rules()).toBe(before);
  });

  test("host ports of somebody's own stay who came after podnet", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(HOST_PORTS + hostPort("podnet", "CNI-DN-bbbb", "10.244.1.5") + NFT_HOST_PORTS);
    await machine.sh(
      nftHostPort("10.244.1.5") + hostPort("podman", "CNI-DN-aaaa", "10.88.0.5") + nftHostPort("10.88.0.5"),
    );
    await machine.does("take --undo", TAKE);
    const after = await rules();
    expect(after).not.toMatch(/10[.]244|CNI-DN-bbbb|podnet/);
    expect(after.match(/10[.]88[.]0[.]5/g)).toHaveLength(7);
    expect(after.match(/jump CNI-HOSTPORT-(DNAT|MASQ|SETMARK)/g)).toHaveLength(4);
  });

  test("host ports of podnet's pods alone go with all that was made for them", async () => {
    const before = await rules();
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(HOST_PORTS + hostPort("podnet", "CNI-DN-bbbb", "10.244.1.5"));
    await machine.sh(NFT_HOST_PORTS + nftHostPort("10.244.1.5"));
    await machine.does("take --undo", TAKE);
    expect(await rules()).toBe(before);
  });

  test("namespaces of podnet's own pods go, and with them the bridge", async () => {
    const name = "cni-5e3b1f0a-aaaa-bbbb-cccc-000000000002";
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    await machine.sh(`ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0; ip link set cni0 up; ip netns add ${name}
ip link add veth1 type veth peer name eth0 netns ${name}; ip link set veth1 master cni0 up`);
    await machine.does("take --undo", TAKE);
    expect(await machine.sh("ip netns list; ip -o link show | grep -c cni0 || true")).toBe("0");
  });

  test("LXC's bridge and a raw table stay where Cilium leaves", async () => {
    await machine.sh(`ip link add lxcbr0 type bridge; ip address add 10.0.3.1/24 dev lxcbr0; nft add table ip raw
nft 'add chain ip raw mine { type filter hook prerouting priority raw; policy accept; }'
nft 'add rule ip raw mine ip saddr 203.0.113.0/24 drop comment "scanners"'
nft 'add set ip raw bad { type ipv4_addr; elements = { 198.51.100.7 } }'`);
    const seen = (): Promise<string> => machine.sh("ip -o address show dev lxcbr0; nft list ruleset");
    const before = await seen();
    await machine.does("take", TAKE);
    await machine.does("network", CILIUM);
    await machine.does("network --undo", CILIUM);
    expect(await seen()).toBe(before);
  });

  test.each([
    ["bridge", BRIDGE, "podnet"],
    ["flannel", agentNetwork("flannel", "flannel-vxlan"), "cbr0"],
    ["kube-router", agentNetwork("kube-router", "kube-router"), "mynet"],
    ["cilium", CILIUM, "cilium"],
  ])(
    "results of plugins, set aside conflists and links of containers stay that were there before %s",
    async (_, network, name) => {
      await machine.sh(`mkdir -p /var/lib/cni/results /etc/cni/net.d
for name in cni-loopback podnet cbr0 mynet kubernetes cilium; do echo {} >/var/lib/cni/results/$name-aaaa-lo; done
echo {} >/etc/cni/net.d/10-theirs.conflist.cilium_bak; ip link add lxcaaaa type veth peer name theirs`);
      const seen = (): Promise<string> => machine.sh("ls -A /var/lib/cni/results /etc/cni/net.d /sys/class/net");
      const before = await seen();
      await machine.does("take", TAKE);
      await machine.does("network", network);
      await machine.sh(`echo {} | tee /var/lib/cni/results/{cni-loopback,${name}}-bbbb-lo`);
      await machine.does("network --undo", network);
      await machine.does("take --undo", TAKE);
      expect(await seen()).toBe(before);
    },
  );

  test("tunnels of somebody's own stay where kube-router leaves, which makes none without an overlay", async () => {
    const kubeRouter = agentNetwork("kube-router", "kube-router");
    await machine.does("take", TAKE);
    await machine.sh("ip link add tun-office type bridge");
    // Not every kernel knows the type.
    machine.standIn("ip");
    machine.answers("ip", 'if [[ $* == *"type ipip" ]]; then echo "9: tun-office: x"; else exec /bin/ip "$@"; fi');
    await machine.does("network", kubeRouter);
    await machine.does("network --undo", kubeRouter);
    expect(machine.has("/sys/class/net/tun-office")).toBe(true);
  });

  test("files that another network would take for its own are named before a change to it", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    machine.write("/opt/cni/bin/flannel", "theirs", 0o755);
    machine.write("/etc/cni/net.d/10-flannel.conflist", "{}");
    expect(await findings(FLANNEL)).toEqual([
      "/etc/cni/net.d/10-flannel.conflist belongs to another installation; move it away first",
      "/opt/cni/bin/flannel is there, and the network would take it for its own; take it away first",
    ]);
    // Where that network is on the node already, they are its own.
    await machine.sh("echo flannel-vxlan flannel 10.244.0.0/16 >/var/lib/podnet/network-on-node");
    expect(await findings(FLANNEL)).toEqual([]);
  });
});

describe("a machine that lacks something", () => {
  test.each(["cmp", "find", "gzip", "hostname", "openssl"])("is told that %s is missing", async (name) => {
    await without(name);
    expect((await findings()).join("\n")).toContain(
      `missing programs: ${name}; on Debian and Ubuntu: apt-get install `,
    );
  });

  test("is told so whatever its login shell prints before, even without an end of line", async () => {
    await without("gzip");
    expect(await findings(DECLARED, "\\033]0;w1\\007")).toHaveLength(1);
    const text = parametersText("take", TAKE);
    machine.write("/tmp/take", text);
    const { stdout } = await machine.exec([
      "bash",
      "-c",
      "printf '\\033]0;w1\\007'; bash --norc -p .podnet/program/start take </tmp/take",
    ]);
    expect(() => answerLines("w1", "take", nonceIn(text), stdout)).toThrow("code 1");
  });

  test("has no data that is not looked for: it is not taken without find", async () => {
    machine.write("/var/lib/etcd/member/db", "precious");
    await without("find");
    expect((await machine.run("take", TAKE)).code).toBe(1);
  });

  test("gives no certificate's hash without openssl", async () => {
    await machine.does("take", TAKE);
    ["kubeadm", "kubectl"].forEach((name) => machine.standIn(name, "/usr/local/bin"));
    machine.answers(
      "kubeadm",
      `case "$1 $2" in
    "init --config") mkdir -p /etc/kubernetes/pki /var/lib/kubelet; echo 'server: x' >/etc/kubernetes/admin.conf; echo x >/etc/kubernetes/pki/ca.crt ;;
    "token generate") echo abcdef.0123456789abcdef ;;
esac`,
    );
    await without("openssl");
    const { code, stdout } = await machine.run("init", INIT);
    expect(code).not.toBe(0);
    expect(stdout).not.toContain("caCertHash");
  });

  test("is told which folders are read-only", async () => {
    const folders = ["/var/lib/etcd", "/var/lib/kubelet", "/var/lib/containerd", "/etc/containerd", "/etc/sysctl.d"];
    const all = [...folders, "/etc/modules-load.d"];
    await machine.sh(`mount -o remount,ro /usr/local
for folder in ${all.join(" ")}; do mkdir -p $folder; mount -t tmpfs -o ro tmpfs $folder; done`);
    const found = (await findings()).sort();
    expect(found).toEqual(
      [...all, "/usr/local/bin", "/usr/local/sbin"]
        .sort()
        .map(
          (folder) => `${folder} cannot be written: ${folder} is read-only; mount it writable, or use another machine`,
        ),
    );
  });
});

describe("what a kill leaves", () => {
  test("of an undo in its last step costs nothing that was there before, when it is run again", async () => {
    await machine.sh("mkdir -p /var/log/pods/theirs_x_1 /etc/cni/net.d; ip netns add cni-theirs");
    await machine.does("take", TAKE);
    machine.standIn("rm");
    // The record of what was there goes before the mark, and the run with it.
    machine.answers(
      "rm",
      'case "$*" in "-rf /var/lib/podnet "*) /bin/rm -f /var/lib/podnet/before; kill -9 -1; kill -9 $$ ;; esac; exec /bin/rm "$@"',
    );
    expect((await machine.run("take --undo", TAKE)).code).toBe(137);
    machine.answers("rm", 'exec /bin/rm "$@"');
    await machine.run("take --undo", TAKE);
    expect(await machine.sh("ls -d /var/log/pods/* /etc/cni/net.d; ip netns list")).toBe(
      "/etc/cni/net.d\n/var/log/pods/theirs_x_1\ncni-theirs",
    );
  });

  test("of Cilium's file system, killed as it was mounted, goes with the network", async () => {
    const mounts = (): Promise<string> => machine.sh("grep -c ' bpf ' /proc/mounts || true");
    await machine.sh("umount /sys/fs/bpf 2>/dev/null || true");
    const before = await mounts();
    await machine.does("take", TAKE);
    machine.standIn("mount");
    machine.answers(
      "mount",
      '/bin/mount "$@"; [ -e /stub/once ] || { touch /stub/once; kill -9 -1; kill -9 $$; }; exit 0',
    );
    expect((await machine.run("network", CILIUM)).code).toBe(137);
    await machine.does("network", CILIUM);
    await machine.does("network --undo", CILIUM);
    expect(await mounts()).toBe(before);
  });

  test("of a mark that was being written is no obstacle", async () => {
    machine.write("/var/lib/podnet/before", "");
    machine.write("/var/lib/podnet/owner.podnet-new", "");
    const { code, stderr } = await machine.run("take", TAKE);
    expect([code, stderr]).toEqual([0, ""]);
  });

  test("of a change of network is no stopped kubelet, once it was done again", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    machine.write("/etc/systemd/system/kubelet.service", "");
    await machine.sh("touch /stub/active/kubelet");
    const other = { ...BRIDGE, network: "flannel-host-gw", kind: "flannel" };
    machine.crashAt("systemctl restart podnet-network");
    expect((await machine.run("network --update 1", other)).code).toBe(137);
    await machine.does("network --update 2", other);
    expect(machine.has("/stub/active/kubelet")).toBe(true);
  });
});

test("etcd's own file system, which is not empty, is no obstacle for kubeadm", async () => {
  await machine.does("take", TAKE);
  machine.standIn("kubeadm", "/usr/local/bin");
  machine.answers("kubeadm", "exit 1");
  await machine.sh("mkdir -p /var/lib/etcd/lost+found");
  await machine.run("init", INIT);
  expect(machine.read("/var/lib/podnet/kubeadm-init.yaml")).toContain("DirAvailable--var-lib-etcd");
});
