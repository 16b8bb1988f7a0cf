import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readKubeconfig } from "../../../components/kubernetes/access";
import { KubeClient } from "../../../components/kubernetes/client";
import { withObjects } from "../../../components/connectivity/deploy";
import { inTurn } from "../../../components/connectivity/turn";
import { type Api, startApi } from "../kubernetes/api";

const NAMESPACE = "/api/v1/namespaces/podnet-check";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/podnet-check/leases/check";

let api: Api;
let client: KubeClient;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  api = await startApi();
  client = new KubeClient((await readKubeconfig(api.kubeconfig)).access);
  said = [];
});

afterEach(async () => {
  vi.useRealTimers();
  client.close();
  await api.close();
});

test("two runs at once go one after the other, and leave no Lease", async () => {
  const order: string[] = [];
  const run = (name: string) => () =>
    new Promise<void>((resolve) => {
      order.push(`${name} begins`);
      setTimeout(() => {
        order.push(`${name} ends`);
        resolve();
      }, 300);
    });
  const first = inTurn(client, say, run("first"));
  await vi.waitFor(() => expect(order).toEqual(["first begins"]));
  await Promise.all([first, inTurn(client, say, run("second"))]);
  expect(order).toEqual(["first begins", "first ends", "second begins", "second ends"]);
  expect(said).toEqual([
    "this run's turn has not come: another run of the check is at work in this cluster (0 s of 900 s)",
  ]);
  expect(api.objects.has(LEASE)).toBe(false);
});

test("a run that fails gives its turn back", async () => {
  await expect(inTurn(client, say, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(api.objects.has(LEASE)).toBe(false);
});

test("the turn of a run that shows no sign of life is taken over after 20 s, and not before", async () => {
  api.objects.set(LEASE, {
    metadata: { name: "check", resourceVersion: "1" },
    spec: { holderIdentity: "dead", renewTime: "2020-01-01T00:00:00.000000Z" },
  });
  const begun = Date.now();
  await inTurn(client, say, () => {
    expect(Date.now() - begun).toBeGreaterThan(20_000);
    expect(api.objects.get(LEASE)?.["spec"]).not.toMatchObject({ holderIdentity: "dead" });
    return Promise.resolve();
  });
}, 60_000);

test("an API server that has just started, and refuses or breaks off, is asked again", async () => {
  const answers = [
    { code: 403, message: "leases.coordination.k8s.io is forbidden: RBAC: not yet" },
    { code: 503, message: "apiserver not ready" },
  ];
  api.refuse = () => answers.shift();
  await inTurn(client, say, () => Promise.resolve());
  expect(said.map((line) => line.replace(/\(\d+ s/, "(N s"))).toEqual([
    "this run's turn has not come: POST /apis/coordination.k8s.io/v1/namespaces/podnet-check/leases: 403 leases.coordination.k8s.io is forbidden: RBAC: not yet (N s of 900 s)",
    "this run's turn has not come: POST /apis/coordination.k8s.io/v1/namespaces/podnet-check/leases: 503 apiserver not ready (N s of 900 s)",
  ]);
});

test("a run whose turn another took says so at its end, and leaves that one's Lease", async () => {
  const theirs = { holderIdentity: "another", renewTime: "2020-01-01T00:00:00.000000Z" };
  const work = () => {
    const lease = api.objects.get(LEASE);
    api.objects.set(LEASE, { metadata: { name: "check", resourceVersion: "99" }, spec: theirs });
    return Promise.resolve(lease);
  };
  await expect(inTurn(client, say, work)).rejects.toThrow(
    "another run of the check took this one's turn, which had shown no sign of life for 20 s; run it again",
  );
  expect(api.objects.get(LEASE)?.spec).toEqual(theirs);
});

test("a run shows that it lives, and another's Lease is not renewed by it", async () => {
  const first = (): unknown => (api.objects.get(LEASE)?.spec as { renewTime?: string } | undefined)?.renewTime;
  await inTurn(client, say, async () => {
    const begun = first();
    await vi.waitFor(() => expect(first()).not.toBe(begun), { timeout: 8000, interval: 200 });
  });
}, 20_000);

test("a namespace in which no Lease may be made is not left behind", async () => {
  api.refuse = (method, path) =>
    method === "POST" && path.endsWith("/leases") ? { code: 403, message: "leases is forbidden" } : undefined;
  await expect(withObjects(client, "i", say, () => Promise.resolve())).rejects.toThrow("leases is forbidden");
  expect([...api.objects.keys()]).toEqual([]);
}, 60_000);

test("a run that is told to end takes its probes and its Lease away first", async () => {
  const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);
  let end = (): void => undefined;
  const running = withObjects(client, "i", say, () => new Promise<void>((resolve) => (end = resolve)));
  await vi.waitFor(() => expect(api.objects.has(`${NAMESPACE}/services/probe`)).toBe(true));
  process.emit("SIGINT");
  await vi.waitFor(() => expect(exit).toHaveBeenCalledWith(2));
  expect([...api.objects.keys()]).toEqual([]);
  end();
  await running;
  exit.mockRestore();
});

test("what a run makes of its own is made before its work and gone after it, also where that fails", async () => {
  let there: string[] = [];
  const work = () => {
    there = [...api.objects.keys()].sort();
    return Promise.reject(new Error("broken"));
  };
  await expect(withObjects(client, "registry/agnhost", say, work)).rejects.toThrow("broken");
  expect(there).toEqual([
    NAMESPACE,
    `${NAMESPACE}/services/hairpin`,
    `${NAMESPACE}/services/probe`,
    ...["probe-a", "probe-b", "probe-host"].map((probe) => `/apis/apps/v1/namespaces/podnet-check/daemonsets/${probe}`),
    LEASE,
  ]);
  expect([...api.objects]).toEqual([]);
  expect(said).toEqual(["making the probes", "taking the probes away"]);
});

test("what a stack has there is neither made nor taken away", async () => {
  api.objects.set(NAMESPACE, {
    metadata: { name: "podnet-check", resourceVersion: "1", labels: { "app.kubernetes.io/managed-by": "podnet" } },
  });
  expect(await withObjects(client, "i", say, () => Promise.resolve([...api.objects.keys()]))).toEqual([
    NAMESPACE,
    LEASE,
  ]);
  expect([...api.objects.keys()]).toEqual([NAMESPACE]);
});

test("somebody else's namespace is refused, and left as it is", async () => {
  api.objects.set(NAMESPACE, { metadata: { name: "podnet-check", resourceVersion: "1" } });
  await expect(withObjects(client, "i", say, () => Promise.resolve())).rejects.toThrow(
    "the namespace podnet-check is somebody else's: it does not bear the label app.kubernetes.io/managed-by=podnet; the check needs that name",
  );
  expect(api.requests).toEqual([`GET ${NAMESPACE}`]);
});

test("a namespace that goes while a run waits for its turn is made anew", async () => {
  let refusals = 1;
  api.refuse = (method, path) => {
    if (method === "POST" && path.endsWith("/leases") && refusals > 0) {
      refusals -= 1;
      api.objects.delete(NAMESPACE);
      return {
        code: 403,
        message: "unable to create new content in namespace podnet-check because it is being terminated",
      };
    }
    return undefined;
  };
  expect(await withObjects(client, "i", say, () => Promise.resolve(api.objects.has(NAMESPACE)))).toBe(true);
});
