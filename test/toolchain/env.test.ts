import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { configSchema } from "../../src/config";
import { SERVICE_CIDR } from "../../toolchain/host/cloneLab";
import { clonePaths } from "../../toolchain/host/paths";
import { dropForeign, envLines, foreignNames, pathWith, proxyEnv, stackEnv } from "../../toolchain/make/env";

afterEach(() => vi.unstubAllEnvs());

/** What a shell's environment is after `eval "$(make env)"`, given what it was before. */
function evaluated(before: Readonly<Record<string, string>>, lines: readonly string[]): Record<string, string> {
  const script = `${lines.join("\n")}\nenv -0`;
  const text = execFileSync("/bin/sh", ["-c", script], { env: before, encoding: "utf8" });
  return Object.fromEntries(
    text
      .split("\0")
      .filter((pair) => pair.includes("="))
      .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
  );
}

/** What `make env` prints in a shell with this environment, for a clone with these tools. */
function printed(before: Readonly<Record<string, string>>, clone: string, tools: readonly string[]): string[] {
  ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].forEach((name) => vi.stubEnv(name, undefined));
  vi.stubEnv("PATH", before["PATH"]);
  vi.stubEnv("PODNET_PATH", before["PODNET_PATH"]);
  const lines = envLines(stackEnv(clonePaths(clone), tools, "unix:///run/x.sock"), before);
  vi.unstubAllEnvs();
  return lines;
}

describe("make env", () => {
  const shell = { PATH: "/usr/local/bin:/usr/bin:/bin" };
  const again = (before: Record<string, string>, clone: string, ...tools: string[]): Record<string, string> =>
    evaluated(before, printed(before, clone, tools));

  test("twice in a shell is as once", () => {
    const once = again(shell, "/clone", "/cache/pulumi-1", "/clone/plugins");
    expect(once["PATH"]).toBe("/cache/pulumi-1:/clone/plugins:/usr/local/bin:/usr/bin:/bin");
    expect(again(once, "/clone", "/cache/pulumi-1", "/clone/plugins")).toEqual(once);
  });

  test("after the cache was built anew keeps no folder of the old one", () => {
    const old = again(shell, "/clone", "/cache/pulumi-1");
    expect(again(old, "/clone", "/cache/pulumi-2")["PATH"]).toBe("/cache/pulumi-2:/usr/local/bin:/usr/bin:/bin");
  });

  test("of another clone keeps none of the first's", () => {
    const first = again(shell, "/one", "/cache/pulumi-1", "/one/plugins");
    const second = again(first, "/two", "/cache/pulumi-1", "/two/plugins");
    expect(second).toEqual(again(shell, "/two", "/cache/pulumi-1", "/two/plugins"));
    expect(second["PULUMI_BACKEND_URL"]).toBe("file:///two/.podnet/state?metadata=skip");
    expect(again(second, "/one", "/cache/pulumi-1", "/one/plugins")).toEqual(first);
  });

  test("is not beaten by a passphrase, a stack, a home or a podnet of somebody's own, and keeps a token and a PATH", () => {
    const own = {
      PATH: "/home/me/bin:/usr/bin:/bin",
      PULUMI_CONFIG_PASSPHRASE: "mine",
      PULUMI_STACK: "prod",
      PULUMI_HOME: "/home/me/.pulumi",
      PULUMI_BACKEND_URL: "s3://state",
      PULUMI_ACCESS_TOKEN: "pul-1",
      PULUMI_SKIP_CHECKPOINTS: "true",
      PODNET_HOME: "/home/me/podnet",
      KUBECONFIG: "/home/me/.kube/config",
      DOCKER_HOST: "tcp://10.0.0.1:2375",
    };
    expect({ ...again(own, "/clone", "/tools"), PWD: undefined }).toEqual({
      PATH: "/tools:/home/me/bin:/usr/bin:/bin",
      PODNET_PATH: "/tools",
      PULUMI_HOME: "/clone/.podnet/pulumi-home",
      PULUMI_BACKEND_URL: "file:///clone/.podnet/state?metadata=skip",
      PULUMI_CONFIG_PASSPHRASE_FILE: "/clone/.podnet/passphrase",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_ACCESS_TOKEN: "pul-1",
      KUBECONFIG: "/clone/.podnet/kubeconfig",
      DOCKER_HOST: "unix:///run/x.sock",
    });
  });
});

test("the environment of a stack has nothing that reaches another engine than its own", () => {
  const env = (dockerHost: string): object => {
    const variables = stackEnv(clonePaths("/clone"), [], dockerHost);
    return Object.fromEntries(Object.entries(variables).filter(([name]) => name.startsWith("DOCKER_")));
  };
  ["DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_API_VERSION"].forEach((name) => vi.stubEnv(name, undefined));
  vi.stubEnv("DOCKER_HOST", "tcp://127.0.0.1:2376");
  vi.stubEnv("DOCKER_TLS_VERIFY", "1");
  vi.stubEnv("DOCKER_CERT_PATH", "/certs");
  expect(env("unix:///run/x.sock")).toEqual({
    DOCKER_HOST: "unix:///run/x.sock",
    DOCKER_TLS_VERIFY: "",
    DOCKER_CERT_PATH: "",
  });
  expect(env("tcp://127.0.0.1:2376")).toEqual({ DOCKER_HOST: "tcp://127.0.0.1:2376" });
});

describe("the environment of a stack behind a proxy", () => {
  const OWN = "127.0.0.1,localhost";
  const list = (env: Readonly<Record<string, string>>): string | undefined => proxyEnv(OWN.split(","), env)["NO_PROXY"];

  test("asks it for nothing of this machine, nor of the lab and its Services", () => {
    const folder = mkdtempSync(join(tmpdir(), "podnet-env-"));
    const paths = clonePaths(folder);
    mkdirSync(paths.dotPodnet);
    const env = (subnet?: string): string | undefined => stackEnv(paths, [], undefined, subnet)["no_proxy"];
    vi.stubEnv("NO_PROXY", undefined);
    vi.stubEnv("no_proxy", undefined);
    vi.stubEnv("PODNET_NO_PROXY", undefined);
    try {
      vi.stubEnv("HTTPS_PROXY", "http://proxy:3128");
      expect(env()).toBe(`${OWN},${SERVICE_CIDR}`);
      expect(env("172.20.1.0/24")).toBe(`${OWN},172.20.1.0/24,${SERVICE_CIDR}`);
      writeFileSync(paths.writtenConfig, JSON.stringify({ settings: { labSubnet: "172.20.2.0/24" } }));
      expect(env("172.20.1.0/24")).toBe(`${OWN},172.20.2.0/24,${SERVICE_CIDR}`);
      const config = "config:\n  podnet:labSubnet: 172.20.3.0/24 # mine\n  podnet:serviceCidr: '10.3.0.0/16'\n";
      writeFileSync(paths.config, config);
      expect(env()).toBe(`${OWN},172.20.3.0/24,10.3.0.0/16`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("keeps what somebody has there, and is the same the second time", () => {
    const before = { http_proxy: "http://p", NO_PROXY: "corp, localhost", no_proxy: "other" };
    const first = proxyEnv(OWN.split(","), before);
    const both = "corp,localhost,other,127.0.0.1";
    expect(first).toEqual({ NO_PROXY: both, no_proxy: both, PODNET_NO_PROXY: "127.0.0.1" });
    expect(proxyEnv(OWN.split(","), { ...before, ...first })).toEqual(first);
  });

  test("keeps nothing of another clone's", () => {
    const first = proxyEnv(["127.0.0.1", "172.20.1.0/24"], { all_proxy: "socks5://p" });
    expect(list({ all_proxy: "socks5://p", ...first })).toBe(OWN);
  });

  test("is as ever where there is no proxy", () => {
    expect(proxyEnv(["127.0.0.1"], { https_proxy: "", NO_PROXY: "corp" })).toEqual({});
  });

  test("knows the program's default for the Services", () => {
    expect(configSchema.parse({}).serviceCidr).toBe(SERVICE_CIDR);
  });
});

test("no variable of somebody's own reaches what the make targets start", () => {
  const env = {
    PATH: "/bin",
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_ACCESS_TOKEN: "t",
    PULUMI_HOME: "/h",
    PODNET_CACHE: "/c",
  };
  expect(foreignNames(env)).toEqual(["PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE"]);
  dropForeign(env);
  expect(env).toEqual({ PATH: "/bin", PULUMI_HOME: "/h", PODNET_CACHE: "/c" });
});

test("a folder that is in PATH twice is there once", () => {
  expect(pathWith(["/a", "/b"], "/usr/bin:/b::/bin:/usr/bin")).toBe("/a:/b:/usr/bin:/bin");
});
