import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Answer } from "../../../components/connectivity/driver";
import type { Request } from "../../../components/connectivity/request";
import { type Change, digest, findingsOf, ok, silent, WEB, world } from "./world";

/** Answers of a network where some requests get another answer. */
const where =
  (matches: (request: Request) => boolean, answer: Answer) =>
  (request: Request, good: Answer): Answer =>
    matches(request) ? answer : good;
/** Whether a request goes from one node to another, or the other way. */
const between =
  (a: string, b: string) =>
  ({ node, targetNode }: Request): boolean =>
    (node === a && targetNode === b) || (node === b && targetNode === a);
/** Whether a request leaves a node's pods for another node, or comes to them from there. */
const around =
  (name: string) =>
  ({ node, targetNode, probe, ask }: Request): boolean =>
    ask.kind !== "hostnames" &&
    ask.kind !== "connect" &&
    ask.kind !== "resolve" &&
    targetNode !== undefined &&
    node !== targetNode &&
    ((node === name && probe !== "probe-host") || targetNode === name);
/** Whether a request goes to a ClusterIP. */
const toService = ({ ask, pod }: Request): boolean =>
  (ask.kind === "connect" && pod === undefined) || (ask.kind === "hostnames" && ask.address.startsWith("10.96.1."));

const REFUSED: Answer = { ok: false, error: "connection refused" };
const SHOP = { ...WEB, name: "shop", clusterIP: "10.96.7.8", selector: { tier: "front", app: "shop" } };

/** Worlds by what is different in them. What the judge says of each is in `whole/`. */
const WORLDS: Readonly<Record<string, Change>> = {
  "all is well": {},
  "one node": { nodes: ["cp"], relabelling: (good) => ({ ...good, answered: { cp: undefined } }) },
  "no services": { services: [], found: [] },
  "a broken pair": { answer: where(between("cp", "w1"), silent) },
  "a broken pair, udp": {
    answer: where((request) => between("w1", "w2")(request) && request.ask.protocol === "UDP", silent),
  },
  "one of two pods": {
    answer: where(({ source, target }) => source === "w1/probe-a" && target === "w2/probe-b", {
      ok: false,
      error: "connection refused",
    }),
  },
  "a broken pair and its endpoint": {
    answer: (request, good) =>
      between("cp", "w1")(request)
        ? silent
        : toService(request) && request.node === "cp" && request.ask.kind === "hostnames"
          ? { ok: true, values: ["probe-a-cp", "probe-a-w2"], errors: ["i/o timeout"] }
          : good,
  },
  "an isolated node": {
    answer: (request, good) =>
      around("w1")(request) || (request.node === "w1" && request.probe !== "probe-host" && !request.targetNode)
        ? silent
        : good,
  },
  "an isolated node that serves itself": {
    answer: (request, good) =>
      around("w1")(request)
        ? silent
        : toService(request) && request.ask.kind === "hostnames" && request.node === "w1"
          ? ok("probe-a-w1")
          : good,
  },
  "a silent dns pair": {
    dnsNodes: ["w2", "cp"],
    answer: (request, good) =>
      request.ask.kind === "resolve" && request.node === "w1"
        ? { ok: false, error: "the name does not resolve" }
        : between("w1", "cp")(request)
          ? silent
          : good,
  },
  nat: {
    answer: where(
      ({ node, targetNode, probe, ask }) =>
        ask.kind === "clientip" && node === "w1" && probe !== "probe-host" && targetNode !== "w1",
      ok("192.0.2.11"),
    ),
  },
  "nat that the network tells of": {
    notApplicable: [{ promise: "no-nat-to-nodes", reason: "an overlay" }],
    answer: where(
      ({ node, target, probe, ask }) =>
        ask.kind === "clientip" && probe !== "probe-host" && target !== node && !target.includes("/"),
      ok("192.0.2.99"),
    ),
  },
  "nat of a node": {
    answer: where(({ probe, ask }) => ask.kind === "clientip" && probe === "probe-host", ok("192.0.2.99")),
  },
  "a foreign answer": {
    answer: where(
      (request) => toService(request) && request.node === "w2" && request.ask.protocol === "TCP",
      ok("probe-a-cp", "probe-a-w1", "probe-a-w2", "stranger"),
    ),
  },
  "a missing endpoint": {
    answer: where((request) => toService(request) && request.node === "w2" && request.ask.kind === "hostnames", {
      ok: true,
      values: ["probe-a-cp", "probe-a-w2", "probe-a-cp"],
      errors: ["connection refused"],
    }),
  },
  "no service proxy": { answer: where((request) => toService(request) && request.node === "w2", silent) },
  "no service proxy at all": {
    answer: (request, good) =>
      request.ask.kind === "resolve"
        ? { ok: false, error: "the name does not resolve" }
        : toService(request) || request.target === "hairpin"
          ? silent
          : good,
    relabelling: (good) => ({ ...good, answered: { cp: undefined, w1: [], w2: ["probe-a-cp"] } }),
  },
  "no hairpin": {
    answer: where(({ target, node, ask }) => target === "hairpin" && node === "w2" && ask.protocol === "TCP", silent),
  },
  "a hairpin that ends elsewhere": {
    answer: where(({ target, node }) => target === "hairpin" && node === "cp", ok("probe-b-w1")),
  },
  "another address by name": {
    answer: where(({ node, ask }) => ask.kind === "resolve" && node !== "cp", ok("10.96.1.9")),
  },
  "two addresses by name": {
    answer: where(({ node, ask }) => ask.kind === "resolve" && node === "cp", ok("10.96.1.1", "10.96.1.9")),
  },
  "no name": {
    answer: where(({ ask }) => ask.kind === "resolve", { ok: false, error: "the name does not resolve" }),
  },
  "no name without a ClusterIP": {
    answer: (request, good) =>
      request.ask.kind === "resolve" && request.node === "w1"
        ? { ok: false, error: "the name does not resolve" }
        : toService(request) && request.node === "w1" && request.ask.protocol === "UDP"
          ? silent
          : good,
  },
  "a lower mtu": {
    answer: where(({ node, targetNode, ask }) => ask.kind === "packet" && node === "w1" && targetNode === "cp", {
      ok: false,
      error: "too long for the link",
    }),
  },
  "a higher mtu": { answer: where(({ ask }) => ask.kind === "packet", ok("1501")) },
  "a mtu that a broken pair hides": {
    answer: where(
      (request) => between("cp", "w1")(request) || (request.ask.kind === "packet" && request.node === "w2"),
      silent,
    ),
  },
  "localhost of another pod": {
    answer: where(
      ({ node, ask }) => ask.kind === "hostnames" && ask.address === "127.0.0.1" && node === "w1",
      ok("probe-b-w2"),
    ),
  },
  "no localhost": {
    answer: where(({ node, ask }) => ask.kind === "hostnames" && ask.address === "127.0.0.1" && node === "w1", silent),
  },
  "a pod without a process": {
    seen: (node, probes) => (node === "w1" ? probes.filter(({ probe }) => probe !== "probe-a") : probes),
  },
  "another address on the interface": {
    seen: (node, probes) =>
      node === "cp" ? probes.map((probe) => ({ ...probe, interfaceIps: ["10.244.0.99"] })) : probes,
  },
  "no address on the interface": {
    seen: (node, probes) => (node === "cp" ? probes.map((probe) => ({ ...probe, interfaceIps: [] })) : probes),
  },
  "a pod that stays in its service": {
    relabelling: (good) => ({
      ...good,
      during: good.members,
      answered: { cp: good.members, w1: ["probe-a-w1"], w2: ["probe-a-w1", "probe-a-w2"] },
    }),
  },
  "a pod that does not come back": { relabelling: (good) => ({ ...good, before: [], after: good.during }) },
  "a selector that matches nothing": {
    found: [{ name: "default/web", selector: { app: "wbe" }, pods: ["web-1"], endpoints: [] }],
    answer: where(({ ask }) => ask.kind === "connect", { ok: false, error: "connection refused" }),
  },
  "two services of which one is not there": {
    services: [WEB, SHOP],
    found: [{ name: "default/web", selector: { app: "web" }, pods: ["web-1"], endpoints: ["web-1"] }],
    answer: where(({ ask, node }) => ask.kind === "connect" && node === "w1", silent),
  },
  "a service that a broken pair hides": {
    answer: where(
      (request) => between("cp", "w1")(request) || (request.ask.kind === "connect" && !request.pod),
      silent,
    ),
  },
  "a service of two ports": {
    services: [
      {
        ...WEB,
        ports: [
          { name: "http", port: 80, targetPort: 8080, protocol: "TCP", answersName: true },
          { name: "https", port: 443, targetPort: 8443, protocol: "TCP", answersName: false },
        ],
      },
    ],
    answer: where(({ ask }) => ask.kind === "connect" && ask.port === 443, silent),
  },
  "a pod that listens on no port": { answer: where(({ pod }) => pod === "web-2", REFUSED) },
  "nothing answers": { answer: () => silent },
  "nothing was asked": { answer: () => ({ ok: false, error: "the request was not made" }) },
};

test.each(Object.entries(WORLDS))("the judge's findings where the world has: %s", async (name, change) => {
  await expect(digest(findingsOf(change))).toMatchFileSnapshot(`whole/${name.replaceAll(/[ ,]+/g, "-")}.txt`);
});

test.each([1, 2, 3, 5])("the requests on %i nodes", async (count) => {
  const nodes = Array.from({ length: count }, (_, index) => `n${String(index)}`);
  const { requests } = world({ nodes });
  const lines = requests.map(({ node, probe, source, targetNode, target, ask }) =>
    JSON.stringify({ node, probe, source, targetNode, target, ask }),
  );
  const kinds = [...new Set(requests.map(({ ask }) => `${ask.kind} ${ask.protocol}`))].sort();
  const counts = kinds.map(
    (kind) => `${kind}: ${String(requests.filter(({ ask }) => `${ask.kind} ${ask.protocol}` === kind).length)}`,
  );
  const hash = createHash("sha256").update(lines.sort().join("\n")).digest("hex").slice(0, 16);
  await expect([...counts, `all: ${String(lines.length)}; ${hash}`, ""].join("\n")).toMatchFileSnapshot(
    `whole/requests-${String(count)}.txt`,
  );
});

test("every request of a run on two nodes", async () => {
  const lines = world({ nodes: ["cp", "w1"] }).requests.map(
    ({ source, target, targetNode, ask }) => `${source} -> ${target} (${targetNode ?? "-"}) ${JSON.stringify(ask)}`,
  );
  await expect([...lines.sort(), ""].join("\n")).toMatchFileSnapshot("whole/requests.txt");
});
