import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test, vi } from "vitest";
import { clonePaths } from "../../toolchain/host/paths";
import { dropForeign, envLines, foreignNames, pathWith, stackEnv } from "../../toolchain/make/env";

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
