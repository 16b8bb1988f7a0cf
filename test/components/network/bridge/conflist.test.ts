import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { conflist } from "../../../../components/network/bridge/conflist";
import { releaseFiles } from "../../../../components/node/releases";
import { cacheDir } from "../../../../toolchain/host/paths";
import { hostArch } from "../../../../toolchain/supply/toolchain";

test("is the declared network and nothing else", () => {
  expect(JSON.parse(conflist({ podCidr: "10.244.1.0/24", mtu: 1450 }))).toEqual({
    cniVersion: "1.0.0",
    name: "podnet",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        mtu: 1450,
        ipam: {
          type: "host-local",
          dataDir: "/run/podnet/ipam",
          ranges: [[{ subnet: "10.244.1.0/24" }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });
});

test("gives a network namespace an address, a route and a hairpin, by the real plugins", () => {
  const mirrors = join(cacheDir(), "mirror");
  const newest = (existsSync(mirrors) ? readdirSync(mirrors) : []).filter((name) => !name.endsWith(".new"));
  const mirror = process.env["PODNET_MIRROR"] ?? join(mirrors, newest[0] ?? "none");
  const release = releaseFiles(hostArch()).find(({ name }) => name === "cni-plugins");
  const archive = join(mirror, release?.path ?? "");
  expect(existsSync(archive), `${archive} is there ("make up" makes it)`).toBe(true);
  const plugins = mkdtempSync(join(tmpdir(), "podnet-cni-"));
  execFileSync("tar", ["-xf", archive, "-C", plugins]);
  const list = JSON.parse(conflist({ podCidr: "10.244.9.0/24", mtu: 1400 })) as { plugins: [Record<string, unknown>] };
  // One plugin at a time, as a runtime calls it; in namespaces of the test's own, so that the host sees no bridge.
  const ipam = { ...(list.plugins[0]["ipam"] as object), dataDir: "/tmp/podnet-test-ipam" };
  const config = JSON.stringify({ ...list.plugins[0], ipam, cniVersion: "1.0.0", name: "podnet" });
  const outer = `pn-o-${String(process.pid)}`;
  const inner = `pn-i-${String(process.pid)}`;
  const script = `
set -eu
trap 'ip netns del ${inner} 2>/dev/null || true; ip netns del ${outer} 2>/dev/null || true; rm -rf /tmp/podnet-test-ipam ${plugins}' EXIT
ip netns add ${outer}
ip netns add ${inner}
export CNI_COMMAND=ADD CNI_CONTAINERID=test CNI_NETNS=/run/netns/${inner} CNI_IFNAME=eth0 CNI_PATH=${plugins}
printf %s '${config}' | nsenter --net=/run/netns/${outer} ${plugins}/bridge >/dev/null
ip -n ${inner} -o -4 address show dev eth0 | awk '{ print $4 }'
ip -n ${inner} -o link show dev eth0 | grep -o 'mtu [0-9]*'
ip -n ${inner} route show default
nsenter --net=/run/netns/${outer} bridge -d link show | grep -o 'hairpin [a-z]*'
CNI_COMMAND=DEL; export CNI_COMMAND
printf %s '${config}' | nsenter --net=/run/netns/${outer} ${plugins}/bridge
`;
  const seen = execFileSync("bash", ["-c", script], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim());
  expect(seen).toEqual(["10.244.9.2/24", "mtu 1400", "default via 10.244.9.1 dev eth0", "hairpin on"]);
});
