import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { kubeconfigText, parseKubeconfig, readKubeconfig } from "../../../components/kubernetes/access";
import { KubeClient } from "../../../components/kubernetes/client";
import { type Api, startApi } from "./api";

let api: Api;
let folder: string;

beforeAll(async () => {
  api = await startApi();
  folder = mkdtempSync(join(tmpdir(), "podnet-access-"));
});

afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

const list = z.looseObject({ items: z.array(z.unknown()) });

/** What an API server says to who has this access. */
async function asked(kubeconfig: string): Promise<unknown> {
  const { access } = await readKubeconfig(kubeconfig);
  const client = new KubeClient(access);
  try {
    return await client.get("/api/v1/nodes", list);
  } finally {
    client.close();
  }
}

test("a kubeconfig with a token lets in, and one of a user without anything does not", async () => {
  expect(await asked(api.kubeconfig)).toEqual({ items: [] });
  await expect(asked(api.kubeconfig.replace("current-context: one", "current-context: nobody"))).rejects.toThrow(
    "GET /api/v1/nodes: 401 Unauthorized",
  );
});

test("a command that logs in is run, and its token used", async () => {
  const credential = {
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status: { token: "let-me-in" },
  };
  const user = `{exec: {apiVersion: client.authentication.k8s.io/v1, command: echo, args: ['${JSON.stringify(credential)}'], interactiveMode: Never}}`;
  expect(await asked(api.kubeconfig.replace("user: {token: let-me-in}", `user: ${user}`))).toEqual({ items: [] });
});

test("a file's other context is used, and the files that it names are found from anywhere", async () => {
  const file = join(folder, "config");
  const ca = /certificate-authority-data: ([A-Za-z0-9+/=]+)/.exec(api.kubeconfig)?.[1] ?? "";
  writeFileSync(join(folder, "ca.crt"), Buffer.from(ca, "base64"));
  writeFileSync(file, api.kubeconfig.replace(/certificate-authority-data: [^}]+/, "certificate-authority: ca.crt"));
  expect(await asked(await kubeconfigText(file))).toEqual({ items: [] });
  await expect(asked(await kubeconfigText(file, "nobody"))).rejects.toThrow("401 Unauthorized");
  await expect(kubeconfigText(file, "two")).rejects.toThrow(`${file} has no context "two"; it has one, nobody`);
});

test("a server behind a path, as a proxy of many clusters has it, is asked below that path", async () => {
  const behind = api.kubeconfig.replace(/(server: "https:[^"]+)"/, '$1/k8s/clusters/c-1/"');
  await asked(behind).catch(() => undefined);
  expect(api.requests.at(-1)).toBe("GET /k8s/clusters/c-1/api/v1/nodes");
});

test("a proxy is refused, and a user's name and password are used", async () => {
  const proxied = api.kubeconfig.replace("cluster: {server", 'cluster: {proxy-url: "http://192.0.2.1:8080", server');
  await expect(readKubeconfig(proxied)).rejects.toThrow(
    "the kubeconfig cannot be used: its cluster is behind a proxy (proxy-url), by which podnet does not ask; use one without",
  );
  const { access } = await readKubeconfig(
    api.kubeconfig.replace("user: {token: let-me-in}", "user: {username: ann, password: secret}"),
  );
  expect(access.headers?.["authorization"]).toBe(`Basic ${Buffer.from("ann:secret").toString("base64")}`);
});

test("a kubeconfig that cannot be read is told by its line, without a word out of it", async () => {
  const broken = 'users:\n- name: a\n  user:\n   token: "top-secret\n';
  await expect(readKubeconfig(broken)).rejects.toThrow(
    /^the kubeconfig cannot be used: it is no YAML: .* in line \d+$/,
  );
  await expect(readKubeconfig(broken)).rejects.not.toThrow(/top-secret/);
  await expect(readKubeconfig("")).rejects.toThrow(
    "the kubeconfig cannot be used: it has not the shape of a kubeconfig",
  );
  const file = join(folder, "broken");
  writeFileSync(file, broken);
  await expect(kubeconfigText(file)).rejects.toThrow(/^the kubeconfig .*broken cannot be used: it is no YAML: /);
});

test("what is no kubeconfig is refused with the reason", async () => {
  await expect(readKubeconfig("{}")).rejects.toThrow(/^the kubeconfig cannot be used: /);
  expect(() => parseKubeconfig(api.kubeconfig)).toThrow(
    "the kubeconfig has no server; podnet reads those that kubeadm writes",
  );
});
