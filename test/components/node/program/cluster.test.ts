import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Parameters } from "../../../../components/node/parameters";
import { bundled, Machine } from "./machine";
import { FILES, INIT, OWNER, TAKE } from "./node";

const program = bundled();
const TOKEN = "abcdef.0123456789abcdef";
const CA = `sha256:${"a".repeat(64)}`;
const JOIN: Parameters = {
  ...OWNER,
  "internal-ip": "192.0.2.11",
  "node-pod-cidr": "10.244.1.0/24",
  endpoint: "192.0.2.10:6443",
  token: TOKEN,
  "ca-cert-hash": CA,
  files: FILES,
};

/** kubeadm, as far as it leaves traces on a node. */
const KUBEADM = `
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /etc/kubernetes/pki/$1.key -out /etc/kubernetes/pki/$1.crt -subj /CN=test -config /stub/openssl \${2:+-addext subjectAltName=$2} 2>/dev/null
}
case "$1 $2" in
    "init --config")
        mkdir -p /etc/kubernetes/manifests /etc/kubernetes/pki
        cp "$3" /stub/init-config
        echo "server: x" >/etc/kubernetes/admin.conf
        certificate ca
        certificate apiserver IP:192.0.2.11,DNS:api.example.com
        mkdir -p /var/lib/kubelet
        echo "old: true" >/var/lib/kubelet/config.yaml
        touch /etc/kubernetes/manifests/etcd.yaml
        ;;
    "upgrade node") mkdir -p /etc/kubernetes/tmp/kubeadm-kubelet-config123; echo "new: true" >/var/lib/kubelet/config.yaml ;;
    "init phase") certificate apiserver IP:192.0.2.11,DNS:api.example.com,DNS:new.example.com ;;
    "join --config") cp -p "$3" /stub/join-config; mkdir -p /etc/kubernetes; touch /etc/kubernetes/kubelet.conf; mkdir -p /var/lib/kubelet; echo "old: true" >/var/lib/kubelet/config.yaml ;;
    "reset --force") rm -rf /etc/kubernetes ;;
    "token generate") echo ${TOKEN} ;;
esac
`;

/** The API server's public part, with the token's signature. */
const SIGNED = `echo '{ "data": { "jws-kubeconfig-${TOKEN.split(".")[0] ?? ""}": "eyJ" } }'\n`;

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
  await machine.does("take", TAKE);
  for (const name of ["kubeadm", "kubectl", "crictl"]) {
    machine.standIn(name, "/usr/local/bin");
  }
  machine.write("/stub/openssl", "[req]\ndistinguished_name=dn\n[dn]\n");
  machine.write("/etc/systemd/system/kubelet.service", "");
  machine.answers("kubeadm", KUBEADM);
  machine.standIn("curl");
  machine.answers("curl", SIGNED);
});
afterEach(() => machine.close());

/** How long kubeadm waits for what a start shows within seconds. */
const TIMEOUTS = { kubeletHealthCheck: "60s", discovery: "60s", tlsBootstrap: "120s" };

const kubeadmCalls = (): string[] =>
  machine
    .calls()
    .filter((call) => call.startsWith("kubeadm "))
    .map((call) => call.split(" ").slice(0, 3).join(" "));

describe("init", () => {
  test("makes a control plane of its parameters, once, and answers with what others need of it", async () => {
    const [line] = await machine.does("init", INIT);
    const hash = await machine.sh(
      "openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt | openssl pkey -pubin -outform der | sha256sum | cut -d' ' -f1",
    );
    expect(JSON.parse(line ?? "")).toEqual({
      kubeconfig: Buffer.from("server: x\n").toString("base64"),
      caCertHash: `sha256:${hash}`,
      token: TOKEN,
    });
    const [init, cluster, kubelet, proxy] = machine
      .read("/stub/init-config")
      .split("\n---\n")
      .map((text) => JSON.parse(text) as Record<string, unknown>);
    const registration = init?.["nodeRegistration"] as Record<string, unknown>;
    expect(registration).toMatchObject({
      name: "w1",
      taints: [],
      kubeletExtraArgs: [
        { name: "hostname-override", value: "w1" },
        { name: "node-ip", value: "192.0.2.11" },
      ],
    });
    expect(registration["ignorePreflightErrors"]).toContain("NumCPU");
    expect(init?.["timeouts"]).toEqual(TIMEOUTS);
    expect(cluster).toMatchObject({
      clusterName: "demo",
      networking: { podSubnet: "10.244.0.0/16", serviceSubnet: "10.96.0.0/16", dnsDomain: "cluster.local" },
      apiServer: { certSANs: ["192.0.2.11", "api.example.com"] },
      controllerManager: {
        extraArgs: [
          { name: "allocate-node-cidrs", value: "false" },
          { name: "kube-api-qps", value: "100" },
          { name: "kube-api-burst", value: "200" },
          { name: "leader-elect", value: "false" },
        ],
      },
      scheduler: { extraArgs: [{ name: "leader-elect", value: "false" }] },
    });
    expect(kubelet?.["cgroupDriver"]).toBe("systemd");
    expect(proxy?.["mode"]).toMatch(/^(nftables|iptables)$/);
    expect(proxy).toMatchObject({ conntrack: { maxPerCore: 0, min: 0 } });
    expect(JSON.parse(machine.read("/var/lib/podnet/kubeadm-patches/kubeletconfiguration0+merge.json"))).toMatchObject({
      evictionHard: { "nodefs.available": "0%" },
    });
    expect(kubeadmCalls()).toEqual(["kubeadm init --config", "kubeadm token generate"]);
    const before = await machine.snapshot();
    expect(await machine.does("init --update", INIT)).toEqual([line]);
    expect(kubeadmCalls()).toEqual([]);
    expect(await machine.snapshot()).toEqual(before);
  });

  test("refuses what cannot change in a cluster that lives, all of it at once, and changes nothing", async () => {
    await machine.does("init", INIT);
    machine.calls();
    const before = await machine.snapshot();
    const { code, stderr } = await machine.run("init --update", {
      ...INIT,
      cluster: "other",
      "pod-cidr": "10.200.0.0/16",
      "node-pod-cidr": "10.200.0.0/24",
      "service-cidr": "10.97.0.0/16",
      "dns-domain": "example.org",
      "internal-ip": "192.0.2.12",
      "kubelet-config": "{}",
    });
    expect(code).toBe(1);
    expect(stderr)
      .toContain(`podnet init on machine: this cannot change in a cluster that lives, and nothing was changed:
  - clusterName: it is demo, and the program says other
  - podCidr: it is 10.244.0.0/16, and the program says 10.200.0.0/16
  - serviceCidr: it is 10.96.0.0/16, and the program says 10.97.0.0/16
  - dnsDomain: it is cluster.local, and the program says example.org
  - internalIp of the control plane: it is 192.0.2.11, and the program says 192.0.2.12
  - pod CIDR of the control plane, which follows from podCidr, nodePrefix and its slot: it is 10.244.0.0/24, and the program says 10.200.0.0/24
Put it back; or make the cluster anew with pulumi destroy and pulumi up, which ends all that runs in it
`);
    expect(await machine.snapshot()).toEqual(before);
    expect(kubeadmCalls()).toEqual([]);
    await machine.does("init --update", INIT);
  });

  test("on a worker, and join on the control plane, are refused: podnet does not move a control plane", async () => {
    await machine.does("init", INIT);
    machine.calls();
    const before = await machine.snapshot();
    expect((await machine.run("join", JOIN)).stderr).toContain(
      "podnet join on machine: this machine is the cluster's control plane, and podnet does not make it a worker.",
    );
    expect(await machine.snapshot()).toEqual(before);
    await machine.does("init --undo", INIT);
    await machine.does("join", JOIN);
    machine.calls();
    expect((await machine.run("init", INIT)).stderr).toContain(
      "podnet init on machine: this machine is a worker of the cluster, and podnet does not move a control plane.",
    );
    expect(kubeadmCalls()).toEqual([]);
  });

  test("gives the API server a certificate for a new name that it is reached by", async () => {
    await machine.does("init", INIT);
    machine.calls();
    machine.answers("crictl", 'case "$*" in *" ps "*) echo c1 ;; esac');
    await machine.does("init --update", { ...INIT, "cert-san": ["new.example.com"] });
    const calls = machine.calls().filter((call) => /^kubeadm |^crictl .* stop /.test(call));
    expect(calls.map((call) => call.replace(/ -c \S+/, ""))).toEqual([
      "kubeadm init phase certs apiserver --config /var/lib/podnet/kubeadm-init.yaml",
      "crictl stop c1",
    ]);
    await machine.does("init --update", { ...INIT, "cert-san": ["new.example.com"] });
    expect(kubeadmCalls()).toEqual([]);
  });

  test("that died half-way is begun anew, and is undone", async () => {
    machine.answers(
      "kubeadm",
      KUBEADM.replace(
        "touch /etc/kubernetes/manifests/etcd.yaml",
        "touch /etc/kubernetes/manifests/etcd.yaml; kill -9 -1",
      ),
    );
    expect((await machine.run("init", INIT)).code).toBe(137);
    machine.answers("kubeadm", KUBEADM);
    machine.calls();
    await machine.does("init", INIT);
    expect(kubeadmCalls()).toEqual(["kubeadm reset --force", "kubeadm init --config", "kubeadm token generate"]);
    await machine.does("init --undo", INIT);
    expect(kubeadmCalls()).toEqual(["kubeadm reset --force"]);
    expect(
      await machine.sh(
        "find /etc/kubernetes /var/lib/podnet -name 'init*' -o -name 'kubeadm-*' -not -name '*.log' -o -name join-token 2>/dev/null || true",
      ),
    ).toBe("");
  });

  test("that fails shows kubeadm's own errors and where all of it is", async () => {
    machine.answers("kubeadm", 'echo "[init] fine"; echo "error: the port 6443 is in use" >&2; exit 1');
    const { code, stderr } = await machine.run("init", INIT);
    expect(code).toBe(1);
    expect(stderr).toContain("error: the port 6443 is in use\n");
    expect(stderr).not.toContain("[init] fine");
    expect(stderr).toContain("all that kubeadm said is in /var/lib/podnet/log/kubeadm-init.log on machine");
  });
});

describe("a kubelet or control plane that does not come up", () => {
  test.each([
    ["init", INIT],
    ["join", JOIN],
  ] as const)("%s says what the node knows of the cause before what kubeadm says", async (phase, parameters) => {
    machine.answers("kubeadm", 'if [ "$2" = --config ]; then echo "error: the kubelet is not healthy" >&2; exit 1; fi');
    machine.standIn("journalctl");
    machine.answers(
      "journalctl",
      "printf '%s\\n' 'E0101 12:00:00 first' 'E0101 12:00:01 run.go:1] command failed: no cgroup' 'I0101 12:00:02 fine'",
    );
    machine.answers(
      "crictl",
      `case $* in
    *"ps -a -q --state exited") printf 'a2\\na1\\nb1\\n' ;;
    *inspect*a?) echo kube-apiserver ;;
    *inspect*b1) echo etcd ;;
    *"logs --tail 1 a2") echo 'bind: address already in use' >&2 ;;
    *"logs --tail 1 b1") echo 'no space left on device' ;;
esac`,
    );
    machine.calls();
    const { code, stderr } = await machine.run(phase, parameters);
    expect(code).toBe(1);
    expect(stderr.split("\n").slice(0, 5)).toEqual([
      "node w1: the kubelet's last error: E0101 12:00:01 run.go:1] command failed: no cgroup",
      "node w1: the container kube-apiserver ended; its last line: bind: address already in use",
      "node w1: the container etcd ended; its last line: no space left on device",
      "error: the kubelet is not healthy",
      `all that kubeadm said is in /var/lib/podnet/log/kubeadm-${phase}.log on machine`,
    ]);
    // What it said before kubeadm began is of another start.
    const asked = machine.calls().filter((call) => call.startsWith("journalctl"));
    expect(asked).toEqual([expect.stringMatching(/^journalctl -u kubelet --since @[0-9]{10} /)]);
    expect(machine.read(`/var/lib/podnet/log/kubeadm-${phase}.log`)).toBe("error: the kubelet is not healthy\n");
  });
});

describe("join", () => {
  test("joins once, with the token in a file that only root reads and that does not stay", async () => {
    await machine.does("join", JOIN);
    const config = JSON.parse(machine.read("/stub/join-config")) as Record<string, unknown>;
    expect(config["discovery"]).toEqual({
      bootstrapToken: { apiServerEndpoint: "192.0.2.10:6443", token: TOKEN, caCertHashes: [CA] },
    });
    expect(config["timeouts"]).toEqual(TIMEOUTS);
    expect(await machine.sh("stat -c %a /stub/join-config")).toBe("600");
    const calls = machine.calls();
    expect(calls.filter((call) => call.includes(TOKEN))).toEqual([]);
    expect(calls.filter((call) => call.startsWith("kubeadm"))).toEqual(["kubeadm join --config /run/podnet/join.json"]);
    expect(await machine.sh(`grep -rl ${TOKEN} /run /var /etc || true`)).toBe("");
    const before = await machine.snapshot();
    await machine.does("join --update", JOIN);
    expect(kubeadmCalls()).toEqual([]);
    expect(await machine.snapshot()).toEqual(before);
  });

  test("joins as soon as the control plane has signed the token, for which kubeadm would look every five seconds", async () => {
    machine.answers(
      "curl",
      `n=$(cat /stub/asked 2>/dev/null || echo 0); echo $((n + 1)) >/stub/asked
case $n in
    0) echo "curl: (7) Failed to connect" >&2; exit 7 ;;
    1) echo '{ "data": { "jws-kubeconfig-fedcba": "eyJ" } }' ;;
    *) ${SIGNED.trim()} ;;
esac
`,
    );
    machine.calls();
    await machine.does("join", JOIN);
    expect(machine.calls().filter((call) => /^(curl|kubeadm) /.test(call))).toEqual([
      ...Array.from(
        { length: 3 },
        () =>
          "curl -q -sS -k --noproxy * --max-time 5 https://192.0.2.10:6443/api/v1/namespaces/kube-public/configmaps/cluster-info",
      ),
      "kubeadm join --config /run/podnet/join.json",
    ]);
  });

  test("where the cluster has no such token, fails before kubeadm waits for it for minutes, with the way on", async () => {
    machine.answers("curl", `echo '{ "data": { "jws-kubeconfig-fedcba": "eyJ" } }'`);
    const { code, stderr } = await machine.run("join", JOIN);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `podnet join on machine: the cluster knows no bootstrap token ${TOKEN.slice(0, 6)}, without which nobody joins: somebody deleted it. Make it anew by pulumi up --replace with the URN of the cluster's command "members", then run the update again`,
    );
    expect(kubeadmCalls()).toEqual([]);
  }, 60_000);

  test("starts a kubelet anew whose Node object is gone, since it registers when it starts, and no other", async () => {
    await machine.does("join", JOIN);
    machine.answers("kubectl", `echo 'Error from server (NotFound): nodes "w1" not found' >&2; exit 1`);
    machine.calls();
    await machine.does("join --update", JOIN);
    expect(machine.calls().filter((call) => call.includes("restart kubelet"))).toEqual(["systemctl restart kubelet"]);
    machine.answers("kubectl", "echo 'Unable to connect to the server' >&2; exit 1");
    await machine.does("join --update", JOIN);
    expect(machine.calls().filter((call) => call.includes("restart kubelet"))).toEqual([]);
  });

  test("leaves a cluster of another CA first", async () => {
    await machine.does("join", JOIN);
    machine.calls();
    await machine.does("join --update", { ...JOIN, "ca-cert-hash": `sha256:${"b".repeat(64)}` });
    expect(kubeadmCalls()).toEqual(["kubeadm reset --force", "kubeadm join --config"]);
  });

  test.each([{ "node-pod-cidr": "10.244.7.0/24" }, { "internal-ip": "192.0.2.12" }])(
    "joins anew with other addresses, and only once: %j",
    async (other) => {
      await machine.does("join", JOIN);
      await machine.sh("ip address add 192.0.2.12/24 dev eth0");
      machine.calls();
      await machine.does("join --update", { ...JOIN, ...other });
      expect(kubeadmCalls()).toEqual(["kubeadm reset --force", "kubeadm join --config"]);
      await machine.does("join --update", { ...JOIN, ...other });
      expect(kubeadmCalls()).toEqual([]);
    },
  );

  test("whose joining anew died in between joins at the next time", async () => {
    await machine.does("join", JOIN);
    machine.crashAt("kubeadm join");
    expect((await machine.run("join --update", { ...JOIN, "node-pod-cidr": "10.244.7.0/24" })).code).toBe(137);
    machine.calls();
    // kubeadm itself came to its end, but nobody noted that.
    await machine.does("join --update", JOIN);
    expect(kubeadmCalls()).toEqual(["kubeadm reset --force", "kubeadm join --config"]);
  });

  test("leaves a node as it is that an earlier version joined, which noted the CA alone", async () => {
    await machine.does("join", JOIN);
    machine.write("/var/lib/podnet/joined", `${CA}\n`);
    machine.calls();
    await machine.does("join --update", JOIN);
    expect(kubeadmCalls()).toEqual([]);
  });

  test("in the place of a machine that is gone waits until the cluster has seen that", async () => {
    const exists =
      'echo "error: a Node with name \\"w1\\" and status \\"Ready\\" already exists in the cluster" >&2; exit 1';
    machine.answers(
      "kubeadm",
      KUBEADM.replace('"join --config")', `"join --config") [ -e /stub/seen ] || { touch /stub/seen; ${exists}; };`),
    );
    machine.calls();
    await machine.does("join", JOIN);
    expect(kubeadmCalls()).toEqual(["kubeadm join --config", "kubeadm reset --force", "kubeadm join --config"]);
    expect(machine.read("/var/lib/podnet/joined")).toBe(`${CA} 192.0.2.11 10.244.1.0/24\n`);
  });

  test("that kubeadm refuses says its errors first, and is not tried again", async () => {
    machine.answers("kubeadm", 'echo "error: the clock is wrong" >&2; exit 1');
    machine.calls();
    const { code, stderr } = await machine.run("join", JOIN);
    expect(code).toBe(1);
    expect(stderr.split("\n")[0]).toBe("error: the clock is wrong");
    expect(stderr).toContain("podnet join on machine: this machine did not join the cluster at 192.0.2.10:6443");
    expect(kubeadmCalls()).toEqual(["kubeadm join --config"]);
  });

  test("that fails leaves no token behind, and is undone", async () => {
    machine.failAt("kubeadm join");
    const { code, stderr } = await machine.run("join", JOIN);
    expect(code).toBe(1);
    expect(stderr).not.toContain(TOKEN);
    expect(await machine.sh(`grep -rl ${TOKEN} /run /var /etc || true`)).toBe("");
    machine.failAt("");
    machine.calls();
    await machine.does("join --undo", JOIN);
    expect(kubeadmCalls()).toEqual(["kubeadm reset --force"]);
    expect(machine.has("/var/lib/podnet/joined")).toBe(false);
  });
});

describe("the kubelet's configuration of a node", () => {
  const changed: Parameters = { ...JOIN, "kubelet-config": '{"maxPods":50}' };
  const PATCH = "/var/lib/podnet/kubeadm-patches/kubeletconfiguration0+merge.json";
  const kubeletCalls = (): string[] =>
    machine.calls().filter((call) => /^(kubeadm (upgrade|join)|systemctl restart kubelet)/.test(call));

  test("is given to a kubelet that runs already, once", async () => {
    await machine.does("join", JOIN);
    machine.calls();
    await machine.does("join --update", changed);
    expect(kubeletCalls()).toEqual([
      "kubeadm upgrade node phase kubelet-config --patches /var/lib/podnet/kubeadm-patches",
      "systemctl restart kubelet",
    ]);
    expect(machine.read("/var/lib/kubelet/config.yaml")).toBe("new: true\n");
    expect(machine.has("/etc/kubernetes/tmp/kubeadm-kubelet-config123")).toBe(false);
    await machine.does("join --update", changed);
    expect(kubeletCalls()).toEqual([]);
  });

  test("that a kubelet does not start with is taken back, and the kubelet's error is shown", async () => {
    await machine.does("join", JOIN);
    machine.answers("curl", 'echo "curl: (7) Failed to connect" >&2; exit 7');
    machine.standIn("journalctl");
    machine.answers("journalctl", "echo 'E0101 12:00:00 run.go:1] command failed: unknown field maxPodz'");
    machine.calls();
    const { code, stderr } = await machine.run("join --update", changed);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^the kubelet: not so after 3[0-9] s: curl: \(7\) Failed to connect$/m);
    expect(stderr).toContain(
      "podnet join on machine: the kubelet does not run with this kubeletConfig, and has its old one again; correct it. The kubelet's last error: E0101 12:00:00 run.go:1] command failed: unknown field maxPodz\n",
    );
    expect(machine.read("/var/lib/kubelet/config.yaml")).toBe("old: true\n");
    expect(kubeletCalls()).toEqual([
      "kubeadm upgrade node phase kubelet-config --patches /var/lib/podnet/kubeadm-patches",
      "systemctl restart kubelet",
      "systemctl restart kubelet",
    ]);
    machine.answers("curl", SIGNED);
    await machine.does("join --update", changed);
    expect(machine.read("/var/lib/kubelet/config.yaml")).toBe("new: true\n");
  }, 60_000);

  describe("after an update that was killed", () => {
    const CONFIG = "/var/lib/kubelet/config.yaml";
    beforeEach(async () => {
      machine.answers("kubeadm", KUBEADM.replace('echo "new: true"', `cat ${PATCH}`));
      await machine.does("join", JOIN);
      machine.calls();
    });

    test("is the one that was put back", async () => {
      machine.crashAt("systemctl restart kubelet");
      expect((await machine.run("join --update", changed)).code).toBe(137);
      expect(JSON.parse(machine.read(CONFIG))).toMatchObject({ maxPods: 50 });
      machine.calls();
      await machine.does("join --update", JOIN);
      expect(machine.read(CONFIG)).toBe(machine.read(PATCH));
      expect(machine.read(CONFIG)).not.toContain("maxPods");
      expect(kubeletCalls()).toHaveLength(2);
      await machine.does("join --update", JOIN);
      expect(kubeletCalls()).toEqual([]);
    });

    test("is the old one again, where the kubelet does not run with the new one", async () => {
      machine.answers("curl", "if [ -e /stub/armed ]; then rm /stub/armed; kill -9 -1; fi; exit 7");
      machine.write("/stub/armed", "");
      expect((await machine.run("join --update", changed)).code).toBe(137);
      expect((await machine.run("join --update", changed)).stderr).toContain("and has its old one again");
      expect(machine.read(CONFIG)).toBe("old: true\n");
      machine.answers("curl", SIGNED);
      await machine.does("join --update", changed);
      expect(await machine.sh("ls /var/lib/podnet | grep kubelet")).toBe("kubelet-patch");
    }, 60_000);
  });
});

describe("configure", () => {
  const parameters: Parameters = { ...OWNER, "kube-proxy-mode": "iptables", schedulable: "yes", files: FILES };
  /** An API server that keeps kube-proxy's mode and annotation; in the modes of `broken` kube-proxy does not run. */
  const kubectl = (taint: string, mode: string, broken = "none"): void => {
    machine.write("/root/mode", mode);
    machine.answers(
      "kubectl",
      `case "$*" in
    *"get node w1 "*) printf "${taint}" ;;
    *"get configmap kube-proxy -o jsonpath="*) printf 'detectLocal:\\n  bridgeInterface: ""\\nmode: "%s"\\nnodePortAddresses: null\\n' "$(</root/mode)" ;;
    *"get configmap kube-proxy -o yaml"*) printf 'data:\\n  config.conf: |-\\n    kind: KubeProxyConfiguration\\n    mode: "%s"\\n    winkernel:\\n' "$(</root/mode)" ;;
    *"replace -f -"*) cat >/root/replaced; awk '$1 == "mode:" { printf "%s", $2 }' /root/replaced >/root/mode ;;
    *"get daemonset kube-proxy"*) cat /root/annotation 2>/dev/null ;;
    *"patch daemonset kube-proxy"*) sed -n 's/.*mode":"\\([a-z]*\\)".*/\\1/p' <<<"$*" | tr -d '\\n' >/root/annotation ;;
    *"rollout status"*) if [ "$(</root/annotation)" = ${broken} ]; then echo 'Waiting for daemon set "kube-proxy" rollout to finish'; else echo 'daemon set "kube-proxy" successfully rolled out'; fi ;;
    *"get pods"*initContainerStatuses*) ;;
    *"get pods"*) echo 'kube-proxy-x w1 kube-proxy 1 CrashLoopBackOff back-off' ;;
    *" logs "*) echo 'no nf_tables here' ;;
esac`,
    );
  };
  const changes = (): string[] =>
    machine
      .calls()
      .filter((call) => / (taint|replace|patch) /.test(call))
      .map((call) => call.replace(/^.*request-timeout 30s /, ""));
  const patch = (mode: string): string =>
    `-n kube-system patch daemonset kube-proxy -p {"spec":{"template":{"metadata":{"annotations":{"podnet.dev/mode":"${mode}"}}}}}`;

  test("changes nothing that is so already", async () => {
    kubectl("", "iptables");
    await machine.does("configure", parameters);
    kubectl("NoSchedule", "iptables");
    await machine.does("configure --update", { ...parameters, schedulable: "no" });
    expect(changes()).toEqual([]);
  });

  test("keeps ordinary pods away from the control plane, or lets them in", async () => {
    kubectl("", "iptables");
    await machine.does("configure", { ...parameters, schedulable: "no" });
    kubectl("NoSchedule", "iptables");
    await machine.does("configure --update", parameters);
    expect(changes()).toEqual([
      "taint node w1 node-role.kubernetes.io/control-plane=:NoSchedule",
      "taint node w1 node-role.kubernetes.io/control-plane-",
    ]);
  });

  test("changes the mode of a kube-proxy that runs, once", async () => {
    kubectl("", "nftables");
    await machine.does("configure --update", parameters);
    expect(machine.read("/root/replaced")).toBe(
      "data:\n  config.conf: |-\n    kind: KubeProxyConfiguration\n    mode: iptables\n    winkernel:\n",
    );
    expect(changes()).toEqual([patch("nftables"), "replace -f -", patch("iptables")]);
    await machine.does("configure --update", parameters);
    expect(changes()).toEqual([]);
  });

  test("starts kube-proxy anew where an earlier run ended after its configuration changed", async () => {
    kubectl("", "nftables");
    machine.failAt(patch("iptables"));
    expect((await machine.run("configure --update", parameters)).code).toBe(1);
    machine.failAt("");
    expect([machine.read("/root/mode"), machine.read("/root/annotation")]).toEqual(["iptables", "nftables"]);
    changes();
    await machine.does("configure --update", parameters);
    expect(changes()).toEqual(["replace -f -", patch("iptables")]);
  });

  test("gives kube-proxy its old mode back where it does not run in the new one, and says why", async () => {
    kubectl("", "nftables", "iptables");
    const { code, stderr } = await machine.run("configure --update", parameters);
    expect(code).toBe(1);
    expect(stderr)
      .toContain(`podnet configure on machine: kube-proxy-x on w1: container kube-proxy ended with exit code 1; its last line: no nf_tables here
  so kube-proxy does not run on every node in the mode iptables, and has its old one, nftables, again
`);
    expect([machine.read("/root/mode"), machine.read("/root/annotation")]).toEqual(["nftables", "nftables"]);
  }, 120_000);
});

describe("members", () => {
  const parameters: Parameters = { ...OWNER, member: ["w1 10.244.0.0/24", "w2 10.244.2.0/24"], files: FILES };

  test("that are no longer declared are drained and taken out; the others and others' nodes stay", async () => {
    await machine.does("init", INIT);
    machine.answers(
      "kubectl",
      'case "$*" in *"get nodes -l podnet.dev/managed=yes"*) printf "w2 10.244.2.0/24 192.0.2.12\\nw3 10.244.3.0/24 192.0.2.13\\n" ;; *"get node w3"*) echo True ;; esac',
    );
    machine.calls();
    await machine.does("members", parameters);
    const calls = machine.calls().filter((call) => / (drain|delete) /.test(call) && call.startsWith("kubectl"));
    expect(calls.map((call) => call.replace(/^kubectl --kubeconfig \S+ (--request-timeout 30s )?/, ""))).toEqual([
      "drain w3 --ignore-daemonsets --delete-emptydir-data --force --timeout 120s",
      "delete node w3 --ignore-not-found",
      "delete pods --all-namespaces --field-selector spec.nodeName=w3 --force --grace-period 0",
    ]);
  });

  test("are told apart as texts, where two names are the same number", async () => {
    await machine.does("init", INIT);
    machine.answers(
      "kubectl",
      'case "$*" in *"get nodes -l podnet.dev/managed=yes"*) printf "1 - -\\n01 - -\\n1e1 - -\\n" ;; esac',
    );
    machine.calls();
    await machine.does("members", { ...parameters, member: ["01 10.244.0.0/24", "10 10.244.2.0/24"] });
    const deleted = machine.calls().flatMap((call) => /delete node (\S+)/.exec(call)?.[1] ?? []);
    expect(deleted).toEqual(["1", "1e1"]);
  });

  test.each([
    ["another pod CIDR", "w2 10.244.9.0/24 192.0.2.12", ["w2"]],
    ["another address", "w2 10.244.2.0/24 192.0.2.99", ["w2"]],
    ["an address that begins alike", "w2 10.244.2.0/24 192.0.2.1", ["w2"]],
    ["no pod CIDR yet", "w2 - 192.0.2.12", []],
    ["no address yet", "w2 10.244.2.0/24 -", []],
    ["all as declared", "w2 10.244.2.0/24 192.0.2.12", []],
  ])("that has %s: %s", async (_, line, out) => {
    await machine.does("init", INIT);
    machine.answers("kubectl", `case "$*" in *"get nodes -l podnet.dev/managed=yes"*) echo "${line}" ;; esac`);
    machine.calls();
    const address = ["w1 192.0.2.11", "w2 192.0.2.12"];
    const { code, stderr } = await machine.run("members", { ...parameters, address });
    expect(code).toBe(0);
    const deleted = machine.calls().flatMap((call) => /delete node (\S+)/.exec(call)?.[1] ?? []);
    expect(deleted).toEqual(out);
    // A node that is not Ready has nobody who would end its pods.
    expect(stderr.includes("the node w2 is not Ready, so its pods are not waited for")).toBe(out.length > 0);
  });

  test("keeps a bootstrap token that does not expire, and shows it on no command line", async () => {
    await machine.does("init", INIT);
    machine.answers("kubectl", 'case "$*" in *" apply "*) cat >/root/applied ;; esac');
    machine.calls();
    await machine.does("members", parameters);
    const calls = machine.calls();
    expect(calls.filter((call) => call.includes(TOKEN.slice(7)))).toEqual([]);
    expect(calls.filter((call) => call.includes("delete secret"))).toEqual([]);
    expect(JSON.parse(machine.read("/root/applied"))).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      type: "bootstrap.kubernetes.io/token",
      metadata: { namespace: "kube-system", name: `bootstrap-token-${TOKEN.slice(0, 6)}` },
      stringData: {
        "token-id": TOKEN.slice(0, 6),
        "token-secret": TOKEN.slice(7),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
      },
    });
  });
});

test("a bootstrap token of an earlier version, which would end after a day, is made anew", async () => {
  await machine.does("init", INIT);
  machine.answers(
    "kubectl",
    'case "$*" in *"get secret bootstrap-token-"*) echo MjAyNg== ;; *" apply "*) cat >/root/applied ;; esac',
  );
  machine.calls();
  await machine.does("members", { ...OWNER, member: ["w1 10.244.0.0/24"], files: FILES });
  const secrets = machine.calls().filter((call) => / (delete secret|apply) /.test(call));
  expect(secrets.map((call) => call.replace(/^.*request-timeout 30s /, ""))).toEqual([
    `-n kube-system delete secret bootstrap-token-${TOKEN.slice(0, 6)}`,
    "apply --server-side --force-conflicts --field-manager podnet -f -",
  ]);
});

describe("register", () => {
  const parameters: Parameters = { ...OWNER, member: ["w1 10.244.1.0/24", "w2 10.244.2.0/24"], files: FILES };

  test("gives each member its pod CIDR, and a mark to those that are no control plane", async () => {
    machine.answers("kubectl", 'case "$*" in *"get nodes"*) printf "w1 10.244.1.0/24\\nw2 \\n" ;; esac');
    await machine.does("register", parameters);
    const calls = machine.calls().filter((call) => / (patch|label) /.test(call));
    expect(calls.map((call) => call.replace(/^.*request-timeout 30s /, ""))).toEqual([
      'patch node w2 -p {"spec":{"podCIDR":"10.244.2.0/24","podCIDRs":["10.244.2.0/24"]}}',
      "label node w2 --overwrite podnet.dev/managed=yes",
    ]);
  });

  test("tells nodes apart as texts, where two names are the same number", async () => {
    machine.answers("kubectl", 'case "$*" in *"get nodes"*) printf "1 10.244.1.0/24\\n01 \\n" ;; esac');
    await machine.does("register", { ...parameters, member: ["1 10.244.1.0/24", "01 10.244.2.0/24"] });
    const calls = machine.calls().filter((call) => call.includes(" patch "));
    expect(calls.map((call) => call.replace(/^.*request-timeout 30s /, ""))).toEqual([
      'patch node 01 -p {"spec":{"podCIDR":"10.244.2.0/24","podCIDRs":["10.244.2.0/24"]}}',
    ]);
  });

  test("refuses a node that has another pod CIDR, since nobody can change it", async () => {
    machine.answers("kubectl", 'case "$*" in *"get nodes"*) printf "w1 10.244.1.0/24\\nw2 10.244.9.0/24\\n" ;; esac');
    const { code, stderr } = await machine.run("register", parameters);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "podnet register on machine: node w2 has pod CIDR 10.244.9.0/24, and Kubernetes lets nobody change it to 10.244.2.0/24; delete the node and join it anew",
    );
  });
});

describe("change", () => {
  const parameters: Parameters = {
    ...OWNER,
    network: "bridge",
    kind: "bridge",
    "replaces-kube-proxy": "no",
    files: FILES,
  };

  test("is nothing where no other network is, but a new generation", async () => {
    const generation = async (): Promise<string> =>
      (JSON.parse((await machine.does("change", parameters)).join("")) as { generation: string }).generation;
    const [first, second] = [await generation(), await generation()];
    expect(first).toMatch(/^[0-9]+$/);
    expect(second).not.toBe(first);
    expect(machine.calls().filter((call) => / (cordon|delete|patch|annotate) /.test(call))).toEqual([]);
  });

  test("that would lose something is refused before a node is touched", async () => {
    machine.answers(
      "kubectl",
      `case "$*" in
    *"get nodes -o jsonpath="*) printf "cilium-native\\n" ;;
    *"get pods --all-namespaces -o go-template"*) echo "default once w1 pod Running Never bare yes c1," ;;
    *"get customresourcedefinitions"*) echo "customresourcedefinition.apiextensions.k8s.io/ciliumnetworkpolicies.cilium.io" ;;
    *"get ciliumnetworkpolicies.cilium.io"*) echo "CiliumNetworkPolicy default/deny" ;;
esac`,
    );
    const { code, stderr } = await machine.run("change", parameters);
    expect(code).toBe(1);
    expect(stderr).toContain(
      "the network stays cilium-native, since a change to bridge would lose something; no node was touched:",
    );
    expect(stderr).toContain("\n  default/once\n");
    expect(stderr).toContain("CiliumNetworkPolicy default/deny");
    expect(machine.calls().filter((call) => / (cordon|delete|patch|annotate|label) /.test(call))).toEqual([]);
    expect(machine.has("/var/lib/podnet/leaving")).toBe(false);
  });
});
