import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { ApiError } from "../../../components/kubernetes/client";
import { beforeCreate, beforeUpdate } from "../../../components/kubernetes/guard";
import { resourceMark } from "../../../components/kubernetes/marks";
import { type DeclaredObject, objectPath } from "../../../components/kubernetes/object";

const OWNER = "11111111-2222-3333-4444-555555555555";
const WEB = "podnet:index:SelectedService$kubernetes:core/v1:Service::web-service";
const marks = (owner = OWNER, resource = WEB): Record<string, string> => ({
  "podnet.dev/owner": owner,
  "podnet.dev/resource": resource,
});

/** The Service that the stack declares. */
const declared: DeclaredObject = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "default", annotations: marks() },
  spec: { selector: { app: "web" }, clusterIP: undefined },
};

/** An API server with at most one object, which goes some reads after it was deleted; it notes what was deleted. */
function api(object?: object, readsUntilGone = 1) {
  const deleted: string[] = [];
  let live = object;
  let left = readsUntilGone;
  return {
    deleted,
    get: <T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> => {
      if (live === undefined || (going(live) && left-- <= 0)) {
        return Promise.reject(new ApiError(404, `GET ${path}: 404 not found`));
      }
      return Promise.resolve(schema.parse(live));
    },
    delete: (path: string): Promise<void> => {
      deleted.push(path);
      live = { ...live, metadata: { ...(live as { metadata: object }).metadata, deletionTimestamp: "now" } };
      return Promise.resolve();
    },
  };
}

const going = (object: object): boolean =>
  (object as { metadata: { deletionTimestamp?: string } }).metadata.deletionTimestamp !== undefined;

const live = (annotations: Record<string, string> | undefined, more: object = {}, metadata: object = {}): object => ({
  metadata: { uid: "1", ...(annotations && { annotations }), ...metadata },
  spec: { clusterIP: "10.96.0.7", ...more },
});

test.each([
  [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "podnet-check" } }, "/api/v1/namespaces/podnet-check"],
  [
    { apiVersion: "apps/v1", kind: "DaemonSet", metadata: { name: "probe-a", namespace: "podnet-check" } },
    "/apis/apps/v1/namespaces/podnet-check/daemonsets/probe-a",
  ],
  [
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name: "flannel" } },
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/flannel",
  ],
  [
    { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "deny", namespace: "default" } },
    "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/deny",
  ],
])("the path of an object in the API: %j", (object, path) => {
  expect(objectPath(object)).toBe(path);
});

test("a resource's mark holds neither its stack nor its project", () => {
  expect(resourceMark(`urn:pulumi:lab::podnet::${WEB}`)).toBe(WEB);
});

describe("before an object is created", () => {
  test("nothing in its place is well", async () => {
    const server = api();
    await beforeCreate(server, declared);
    expect(server.deleted).toEqual([]);
  });

  test.each([
    ["what the same resource made before it was killed", marks()],
    ["what was handed over by hand", { "podnet.dev/owner": OWNER }],
  ])("%s stays, to be taken over", async (_, annotations) => {
    const server = api(live(annotations));
    await beforeCreate(server, declared);
    expect(server.deleted).toEqual([]);
  });

  test("what somebody else made is refused by name, with both ways on", async () => {
    const server = api(live(undefined));
    await expect(beforeCreate(server, declared)).rejects.toThrow(
      "Service default/web belongs to somebody else: podnet did not make it. It was left as it is. Choose another name or delete it; " +
        `to hand it over to this stack: kubectl annotate --overwrite service web -n default podnet.dev/owner=${OWNER} podnet.dev/resource-`,
    );
    await expect(beforeCreate(server, declared, true)).rejects.toThrow("belongs to somebody else");
    expect(server.deleted).toEqual([]);
  });

  test("what another stack made is refused, naming its owner", async () => {
    await expect(beforeCreate(api(live(marks("another"))), declared)).rejects.toThrow(
      "Service default/web belongs to somebody else: its owner is another.",
    );
  });

  test("what another resource of the stack made is refused, or its delete would take it", async () => {
    const shop = "podnet:index:SelectedService$kubernetes:core/v1:Service::shop-service";
    await expect(beforeCreate(api(live(marks(OWNER, shop))), declared)).rejects.toThrow(
      `Service default/web is made by the resource ${shop} of this stack already; choose another name, or say by \`aliases\` that ${WEB} is that resource`,
    );
  });

  test("a Namespace, which is in none, is named and handed over without one", async () => {
    const namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "podnet-check", annotations: marks() },
    };
    await expect(beforeCreate(api(live({})), namespace)).rejects.toThrow(
      /^Namespace podnet-check belongs .* kubectl annotate --overwrite namespace podnet-check podnet\.dev\/owner=/,
    );
  });

  test("what is on its way out is waited for, whoever made it", async () => {
    for (const annotations of [marks(), undefined]) {
      const server = api(live(annotations, {}, { deletionTimestamp: "now" }), 2);
      await beforeCreate(server, declared);
      await expect(server.get("", { parse: () => undefined } as unknown as z.ZodType)).rejects.toThrow("404");
      expect(server.deleted).toEqual([]);
    }
  });

  test("what can never become what is declared is made anew; a Service not without being said", async () => {
    const headless = api(live(marks(), { clusterIP: "None" }), 2);
    await expect(beforeCreate(headless, declared, true)).rejects.toThrow(
      "Service default/web has to be made anew, which changes its address: a Service with a ClusterIP cannot become headless, or the " +
        "other way round. No preview can show it: run the update with --skip-preview, or choose another name",
    );
    expect(headless.deleted).toEqual([]);
    await beforeCreate(headless, declared);
    expect(headless.deleted).toEqual(["/api/v1/namespaces/default/services/web?propagationPolicy=Foreground"]);
    const workload: DeclaredObject = {
      ...declared,
      apiVersion: "apps/v1",
      kind: "Deployment",
      spec: { selector: { matchLabels: { app: "web", tier: "front" } }, clusterIP: undefined },
    };
    const same = api(live(marks(), { selector: { matchLabels: { tier: "front", app: "web" } } }));
    await beforeCreate(same, workload);
    expect(same.deleted).toEqual([]);
    const other = api(live(marks(), { selector: { matchLabels: { app: "web" } } }));
    await beforeCreate(other, workload, true);
    expect(other.deleted).toEqual([]);
    await beforeCreate(other, workload);
    expect(other.deleted).toEqual(["/apis/apps/v1/namespaces/default/deployments/web?propagationPolicy=Foreground"]);
  });
});

describe("before an object is updated", () => {
  test("what the resource made is well, also under the mark that it had before", async () => {
    await beforeUpdate(api(live(marks())), declared, declared);
    const moved = { ...declared, metadata: { ...declared.metadata, annotations: marks(OWNER, "moved::web-service") } };
    await beforeUpdate(api(live(marks())), moved, declared);
  });

  test("what a podnet made that set no marks is well", async () => {
    await beforeUpdate(api(live(undefined)), declared, {
      ...declared,
      metadata: { name: "web", namespace: "default" },
    });
  });

  test("what somebody put in its place is refused", async () => {
    await expect(beforeUpdate(api(live(undefined)), declared, declared)).rejects.toThrow(
      "Service default/web belongs to somebody else: podnet did not make it.",
    );
  });

  test("what is gone is named, with the way to have it again", async () => {
    await expect(beforeUpdate(api(), declared, declared)).rejects.toThrow(
      "Service default/web is gone from the cluster: somebody deleted it. Run `pulumi refresh`, then the update again, which makes it",
    );
  });
});
