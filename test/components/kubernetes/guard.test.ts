import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { ApiError } from "../../../components/kubernetes/client";
import { guard } from "../../../components/kubernetes/guard";
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

/** An API server with at most one object, which goes some reads after it was deleted. */
function api(object?: object, readsUntilGone = 1) {
  let left = readsUntilGone;
  return {
    get: <T extends z.ZodType>(path: string, schema: T): Promise<z.output<T>> =>
      object === undefined || (going(object) && left-- <= 0)
        ? Promise.reject(new ApiError(404, `GET ${path}: 404 not found`))
        : Promise.resolve(schema.parse(object)),
    reads: () => readsUntilGone - left,
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

const look = (object?: object, of = declared, dryRun = false, earlier: string[] = []): Promise<void> =>
  guard(api(object), of, { dryRun, earlier });

describe("in an object's place", () => {
  test("nothing is well", async () => {
    await look();
  });

  test.each([
    ["what the same resource made before it was killed", live(marks())],
    ["what was handed over by hand", live({ "podnet.dev/owner": OWNER })],
    [
      "what an earlier podnet made, which set no marks",
      live(undefined, {}, { managedFields: [{ manager: "pulumi-kubernetes" }] }),
    ],
  ])("%s stays, to be taken over", async (_, object) => {
    await look(object);
    await look(object, declared, true);
  });

  test("what the resource made before it was moved stays", async () => {
    const before = "podnet:index:SelectedService$kubernetes:core/v1:Service::shop-service";
    await look(live(marks(OWNER, before)), declared, false, [before]);
  });

  test("what somebody else made is refused by name, with both ways on", async () => {
    for (const dryRun of [true, false]) {
      await expect(
        look(live(undefined, {}, { managedFields: [{ manager: "kubectl-create" }] }), declared, dryRun),
      ).rejects.toThrow(
        "Service default/web belongs to somebody else: podnet did not make it. It was left as it is. Choose another name or delete it; " +
          `to hand it over to this stack: kubectl annotate --overwrite service web -n default podnet.dev/owner=${OWNER} podnet.dev/resource-`,
      );
    }
  });

  test("what another stack made is refused, naming its owner", async () => {
    await expect(look(live(marks("another")))).rejects.toThrow(
      "Service default/web belongs to somebody else: its owner is another.",
    );
  });

  test("what another resource of the stack made is refused, or its delete would take it", async () => {
    const shop = "podnet:index:SelectedService$kubernetes:core/v1:Service::shop-service";
    await expect(look(live(marks(OWNER, shop)))).rejects.toThrow(
      `Service default/web is made by the resource ${shop} of this stack already; choose another name, or say by \`aliases\` that ${WEB} is that resource`,
    );
  });

  test("a Namespace, which is in none, is named and handed over without one", async () => {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "podnet-check", annotations: marks() } };
    await expect(look(live({}), namespace)).rejects.toThrow(
      /^Namespace podnet-check belongs .* kubectl annotate --overwrite namespace podnet-check podnet\.dev\/owner=/,
    );
  });

  test("what is on its way out is waited for, whoever made it, in a preview not", async () => {
    for (const annotations of [marks(), undefined]) {
      const server = api(live(annotations, {}, { deletionTimestamp: "now" }), 2);
      await guard(server, declared, { dryRun: true, earlier: [] });
      expect(server.reads()).toBe(1);
      await guard(server, declared, { dryRun: false, earlier: [] });
      expect(server.reads()).toBe(3);
    }
  });

  test("a Service whose address changes is refused in the preview, which cannot show it, and made anew in the update", async () => {
    const headless = live(marks(), { clusterIP: "None" });
    await expect(look(headless, declared, true)).rejects.toThrow(
      "Service default/web has to be made anew, which changes its address: a Service with a ClusterIP cannot become headless, or the " +
        "other way round. No preview can show it: run the update with --skip-preview, or choose another name",
    );
    await look(headless);
    await look(headless, { ...declared, spec: { clusterIP: "None" } }, true);
  });

  test("what the API server does not tell is not taken for nothing", async () => {
    const broken = { get: () => Promise.reject(new ApiError(500, "GET: 500 etcd is down")) };
    await expect(guard(broken, declared, { dryRun: false, earlier: [] })).rejects.toThrow("500 etcd is down");
  });
});
