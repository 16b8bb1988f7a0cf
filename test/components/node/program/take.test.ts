import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { NOTHING_LEFT, UPLOAD } from "../../../../components/node/ask";
import { parametersText } from "../../../../components/node/parameters";
import { bundled, Machine } from "./machine";
import { TAKE } from "./node";

const program = bundled();
let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
});
afterEach(() => machine.close());

describe("take", () => {
  test("names every obstacle at once, and changes nothing", async () => {
    machine.write("/etc/containerd/config.toml", "theirs\n");
    machine.write("/usr/local/bin/kubectl", "theirs\n", 0o755);
    machine.write("/etc/kubernetes/kubelet.conf", "");
    machine.write("/var/lib/etcd/member/x", "data");
    await machine.sh("rm -r /run/systemd; rm /usr/local/sbin/conntrack; touch /stub/active/docker");
    const before = await machine.snapshot();
    const { code, stderr } = await machine.run("take", TAKE);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toEqual([
      "podnet take on machine: this machine cannot become a node:",
      "  - systemd is not the init system; podnet needs it to run containerd and the kubelet",
      "  - missing programs: conntrack; on Debian and Ubuntu: apt-get install conntrack coreutils curl diffutils findutils gawk gzip hostname iproute2 kmod nftables openssl procps tar util-linux",
      "  - it is a Kubernetes node already; run kubeadm reset on it first",
      "  - /etc/containerd/config.toml belongs to another installation; move it away first",
      "  - /usr/local/bin/kubectl belongs to another installation; move it away first",
      expect.stringMatching(
        /^ {2}- \/var\/lib\/etcd holds \S+ of somebody's data \(member\); move it away, or use another machine$/,
      ),
      "  - the service docker runs here; podnet runs a containerd of its own, and the two would collide",
    ]);
    const rest = (lines: string[]): string[] => lines.filter((line) => !line.includes("/usr/local/lib"));
    expect(rest(await machine.snapshot())).toEqual(rest(before));
  });

  test("refuses a machine of podnet 0.1, and leaves it as it is", async () => {
    machine.write("/var/lib/podnet/claim", "older");
    const { code, stderr } = await machine.run("take", TAKE);
    expect(code).toBe(1);
    expect(stderr).toContain("  - podnet 0.1 took it for the cluster older, and this version cannot go on from there.");
    await machine.does("take --undo", TAKE);
    expect(machine.read("/var/lib/podnet/claim")).toBe("older");
  });

  test("whose undo died half-way is undone by the next", async () => {
    await machine.does("take", TAKE);
    const before = await machine.sh("find /etc /opt | sort");
    machine.crashAt("systemctl disable -q --now containerd");
    expect((await machine.run("take --undo", TAKE)).code).toBe(137);
    expect(machine.has("/var/lib/podnet/owner")).toBe(true);
    await machine.does("take --undo", TAKE);
    expect(machine.has("/var/lib/podnet") || machine.has("/usr/local/lib/podnet")).toBe(false);
    expect(await machine.sh("find /etc /opt | sort")).toBe(before);
  });

  test("is undone once more where nothing is left, and not where only the upload is gone", async () => {
    const words = `${NOTHING_LEFT} || bash --norc -p ${UPLOAD}/start take --undo`;
    machine.write("/tmp/parameters", parametersText("take", TAKE));
    const undo = () => machine.exec(["sh", "-c", `${words} </tmp/parameters`]);
    expect((await undo()).code).toBe(0);
    expect(machine.has("/root/.podnet")).toBe(false);
    expect(await undo()).toEqual({ code: 0, stdout: "", stderr: "" });
    machine.upload(program);
    await machine.does("take", TAKE);
    await machine.sh("rm -r /root/.podnet");
    expect((await undo()).code).toBe(127);
    expect(machine.has("/var/lib/podnet/owner")).toBe(true);
    // The mark is gone and the upload is not: what an interrupted undo left goes at the next.
    machine.upload(program);
    await machine.sh("rm -r /var/lib/podnet");
    expect((await undo()).code).toBe(0);
    expect(machine.has("/root/.podnet") || machine.has("/usr/local/lib/podnet")).toBe(false);
  });

  test("is undone where it was refused, and nothing of anybody's goes", async () => {
    machine.write("/var/lib/etcd/member/x", "data");
    await machine.run("take", TAKE);
    await machine.does("take --undo", TAKE);
    expect(machine.read("/var/lib/etcd/member/x")).toBe("data");
    expect(machine.has("/root/.podnet") || machine.has("/usr/local/lib/podnet")).toBe(false);
  });

  test("leaves the owner's mark, which its undo takes away", async () => {
    await machine.does("take", TAKE);
    expect(machine.read("/var/lib/podnet/owner")).toBe("11111111-2222-3333-4444-555555555555 w1 demo\n");
    await machine.does("take --undo", TAKE);
    expect(machine.has("/var/lib/podnet") || machine.has("/run/podnet")).toBe(false);
  });

  test("is undone by hand as docs/operate.md says", async () => {
    const page = readFileSync(join(__dirname, "..", "..", "..", "..", "docs", "operate.md"), "utf8");
    const script = /```sh\n(read -r work [^`]*)```/.exec(page)?.[1] ?? "";
    await machine.does("take", TAKE);
    await machine.sh(script);
    expect(machine.has("/var/lib/podnet") || machine.has("/usr/local/lib/podnet")).toBe(false);
    expect(machine.has("/root/.podnet")).toBe(false);
  });

  test("is for one owner after another", async () => {
    await machine.does("take", TAKE);
    await machine.does("take --undo", TAKE);
    machine.upload(program);
    const other = { ...TAKE, owner: "99999999-2222-3333-4444-555555555555", node: "cp" };
    await machine.does("take", other);
    expect(machine.read("/var/lib/podnet/owner")).toBe("99999999-2222-3333-4444-555555555555 cp demo\n");
  });
});
