import { existsSync, readFileSync } from "node:fs";
import { run } from "./exec";
import type { Progress } from "./progress";

/** A program that the quickstart calls, and the Debian package it comes from. */
export interface Need {
  readonly probe: string;
  readonly package: string;
}

const NEEDS: readonly Need[] = [
  { probe: "docker", package: "docker.io" },
  { probe: "mmdebstrap", package: "mmdebstrap" },
  { probe: "ip", package: "iproute2" },
  { probe: "iptables", package: "iptables" },
  { probe: "/usr/sbin/xtables-nft-multi", package: "iptables" },
  { probe: "nft", package: "nftables" },
  { probe: "ssh-keygen", package: "openssh-client" },
  { probe: "gcc", package: "gcc" },
  { probe: "/usr/include/seccomp.h", package: "libseccomp-dev" },
  { probe: "pkg-config", package: "pkg-config" },
  { probe: "shellcheck", package: "shellcheck" },
];

/** What starting an engine takes: a machine may have the client of an engine that runs elsewhere, and no engine. */
export const ENGINE_NEEDS: readonly Need[] = [{ probe: "dockerd", package: "docker.io" }];

/** What the tests look at pages with. */
export const TEST_NEEDS: readonly Need[] = [{ probe: "chromium", package: "chromium" }];

/** What the comparison of networks measures with. */
export const BENCH_NEEDS: readonly Need[] = [
  { probe: "iperf3", package: "iperf3" },
  { probe: "sockperf", package: "sockperf" },
  { probe: "ab", package: "apache2-utils" },
];

async function present({ probe }: Need): Promise<boolean> {
  return probe.startsWith("/") ? existsSync(probe) : (await run("sh", ["-c", `command -v ${probe}`])).code === 0;
}

/** Packages that are missing on this machine, without doubles. */
export async function missingPackages(needs: readonly Need[] = NEEDS): Promise<string[]> {
  const checks = await Promise.all(needs.map(async (need) => ((await present(need)) ? [] : [need.package])));
  return [...new Set(checks.flat())];
}

/** Installs what is missing where podnet may: as root on Debian and Ubuntu. Elsewhere throws, naming the packages. */
export async function ensurePackages(progress: Progress, needs: readonly Need[] = NEEDS): Promise<void> {
  const missing = await missingPackages(needs);
  if (missing.length > 0) {
    await progress.step(`installing ${missing.join(", ")}`, 40, () => installPackages(missing));
  }
}

/** Installs these Debian packages. Throws, naming them, where podnet may not. */
export async function installPackages(missing: readonly string[]): Promise<void> {
  if (missing.length === 0) {
    return;
  }
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  const debian = /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(release);
  if (!debian || process.getuid?.() !== 0) {
    throw new Error(
      `this machine lacks ${missing.join(", ")} (names of Debian packages); install what corresponds to them` +
        (debian ? `, as root: apt-get install ${missing.join(" ")}` : ""),
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = (): ReturnType<typeof run> =>
    run("apt-get", ["install", "-y", "--no-install-recommends", ...missing], { env });
  let result = await install();
  if (result.code !== 0) {
    await run("apt-get", ["update"], { env });
    result = await install();
  }
  if (result.code !== 0) {
    const tail = result.stderr.trim().split("\n").slice(-5).join("\n  ");
    throw new Error(`apt-get install ${missing.join(" ")} failed:\n  ${tail}`);
  }
}
