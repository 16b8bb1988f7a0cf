import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { releaseFiles } from "../../../../components/node/releases";
import { cacheDir } from "../../../../toolchain/host/paths";
import { hostArch } from "../../../../toolchain/supply/options";
import { bundled, Machine } from "../../node/program/machine";
import { BRIDGE, TAKE } from "../../node/program/node";

const CONFLIST = "/etc/cni/net.d/10-podnet.conflist";
let machine: Machine;

beforeAll(async () => {
  machine = await Machine.make(bundled());
  await machine.does("take", TAKE);
  await machine.does("network", { ...BRIDGE, "node-pod-cidr": "10.244.9.0/24", mtu: 1400 });
});
afterAll(() => machine.close());

test("is the declared network and nothing else", () => {
  expect(JSON.parse(machine.read(CONFLIST))).toEqual({
    cniVersion: "1.0.0",
    name: "podnet",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        mtu: 1400,
        ipam: {
          type: "host-local",
          dataDir: "/run/podnet/ipam",
          ranges: [[{ subnet: "10.244.9.0/24" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
});

test("gives a network namespace an address, a route and a hairpin, by the real plugins", async () => {
  const mirrors = join(cacheDir(), "mirror");
  const newest = (existsSync(mirrors) ? readdirSync(mirrors) : []).filter((name) => !name.endsWith(".new"));
  const mirror = process.env["PODNET_MIRROR"] ?? join(mirrors, newest[0] ?? "none");
  const release = releaseFiles(hostArch()).find(({ name }) => name === "cni-plugins");
  const archive = join(mirror, release?.path ?? "");
  expect(existsSync(archive), `${archive} is there ("make up" makes it)`).toBe(true);
  mkdirSync(machine.path("/plugins"));
  execFileSync("tar", ["-xf", archive, "-C", machine.path("/plugins")]);
  // One plugin at a time, as a runtime calls it.
  const { plugins } = JSON.parse(machine.read(CONFLIST)) as { plugins: [object] };
  machine.write("/tmp/bridge.json", JSON.stringify({ ...plugins[0], cniVersion: "1.0.0", name: "podnet" }));
  const seen = await machine.sh(`
ip netns add pod
export CNI_COMMAND=ADD CNI_CONTAINERID=test CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=/plugins
/plugins/bridge </tmp/bridge.json >/dev/null
ip -n pod -o -4 address show dev eth0 | awk '{ print $4 }'
ip -n pod -o link show dev eth0 | grep -o 'mtu [0-9]*'
ip -n pod route show default
bridge -d link show master cni0 | grep -o 'hairpin [a-z]*'
CNI_COMMAND=DEL /plugins/bridge </tmp/bridge.json
ls /run/podnet/ipam/podnet`);
  expect(seen.split("\n").map((line) => line.trim())).toEqual([
    ...["10.244.9.2/24", "mtu 1400", "default via 10.244.9.1 dev eth0", "hairpin on"],
    ...["last_reserved_ip.0", "lock"],
  ]);
});
