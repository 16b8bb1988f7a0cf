import { describe, expect, test } from "vitest";
import { affinityTries } from "../../../../components/connectivity/services/requests";
import { answering, type Change, countsOf, findingsOf, line, ok, silent, WEB, world } from "../world";

type Service = typeof WEB;

const TCP = { name: "http", port: 80, targetPort: 8080, protocol: "TCP", answersName: true } as const;
const UDP = { name: "dns", port: 53, targetPort: 5353, protocol: "UDP", answersName: true } as const;
const foreign = { answersName: false } as const;
const REFUSED = { ok: false, error: "connection refused" } as const;
const PLACES = {
  "web-1": { node: "cp", ip: "10.244.0.9", ready: true },
  "web-2": { node: "w1", ip: "10.244.1.9", ready: true },
};

/** A world of two nodes with this Service, whose two pods are one on each. */
const withService = (more: Partial<Service>, change: Change = {}, places: typeof PLACES = PLACES): Change => ({
  nodes: ["cp", "w1"],
  services: [{ ...WEB, ...more }],
  found: [
    {
      name: "default/web",
      selector: { app: "web" },
      pods: Object.keys(places),
      endpoints: Object.keys(places),
      places,
    },
  ],
  ...change,
});
/** What the program's Services are asked, in lines. */
const asked = (change: Change): string[] =>
  world(change)
    .facts.requestsOf("service")
    .filter(({ service }) => service !== undefined)
    .map(({ source, target, ask }) => {
      const where = "address" in ask && "port" in ask ? `${ask.address}:${String(ask.port)}` : "?";
      const times = ask.kind === "hostnames" ? ` x${String(ask.tries)}` : "";
      return `${source} -> ${target} ${ask.kind} ${ask.protocol} ${where}${times}`;
    });
/** The findings on the program's Services, in lines. */
const found = (change: Change, claim = "service"): string[] =>
  findingsOf(change)
    .filter((finding) => finding.claim === claim && /default/.test(finding.target))
    .map((finding) => line(finding).slice(claim.length + 2));
const problems = (change: Change, claim?: string): string[] =>
  found(change, claim).filter((text) => !/ passed: /.test(text));
const ASKERS = ["cp/probe-b", "cp", "w1/probe-b", "w1"];

describe("ports", () => {
  const both = withService({ ports: [TCP, UDP] });

  test("are each asked from every node, from a pod and from the node", () => {
    expect(asked(both).filter((text) => !text.includes(" at "))).toEqual(
      ASKERS.flatMap((source) => [
        `${source} -> default/web:http connect TCP 10.96.7.7:80`,
        `${source} -> default/web:dns hostnames UDP 10.96.7.7:53 x1`,
      ]),
    );
  });

  test("are each asked of every ready pod itself, by a pod of its own node", () => {
    expect(asked(both).filter((text) => text.includes(" at "))).toEqual([
      "cp/probe-b -> default/web:http at web-1 connect TCP 10.244.0.9:8080",
      "cp/probe-b -> default/web:dns at web-1 hostnames UDP 10.244.0.9:5353 x1",
      "w1/probe-b -> default/web:http at web-2 connect TCP 10.244.1.9:8080",
      "w1/probe-b -> default/web:dns at web-2 hostnames UDP 10.244.1.9:5353 x1",
    ]);
  });

  test("are asked of a pod on a node without a probe by the first node", () => {
    const places = { ...PLACES, "web-2": { ...PLACES["web-2"], node: "gone" } };
    expect(asked(withService({ ports: [TCP] }, {}, places)).filter((text) => text.includes("web-2"))).toEqual([
      "cp/probe-b -> default/web at web-2 connect TCP 10.244.1.9:8080",
    ]);
  });

  test("name the pod that listens on one of them nowhere, whoever else answers there", () => {
    const change = withService(
      { ports: [TCP, { ...TCP, ...foreign, name: "metrics", port: 9090, targetPort: 9090 }] },
      answering(({ pod, servicePort }) => pod === "web-2" && servicePort === "metrics", REFUSED),
    );
    expect(problems(change)).toEqual([
      "w1/probe-b -> default/web:metrics at web-2 TCP failed: the pod takes connections | connection refused",
    ]);
  });

  test("are blocked by the pod that does not answer, where the ClusterIP does not either", () => {
    const change = withService(
      { ports: [TCP, { ...TCP, ...foreign, name: "metrics", port: 9090, targetPort: 9090 }] },
      answering(
        ({ pod, source, servicePort }) => servicePort === "metrics" && (pod === "web-2" || source === "cp"),
        REFUSED,
      ),
    );
    expect(problems(change)).toEqual([
      "cp -> default/web:metrics TCP blocked: the ClusterIP takes connections | service from w1/probe-b to default/web:metrics at web-2 over TCP failed",
      "w1/probe-b -> default/web:metrics at web-2 TCP failed: the pod takes connections | connection refused",
    ]);
  });

  test("are blocked at a pod where pods of its node do not reach each other", () => {
    const change = withService(
      { ports: [TCP] },
      {
        answer: (request, good) =>
          request.pod === "web-2" || (request.claim === "pod-to-pod" && request.source === "w1/probe-b")
            ? silent
            : good,
      },
    );
    expect(problems(change)).toEqual([
      "w1/probe-b -> default/web at web-2 TCP blocked: the pod takes connections | pod-to-pod from w1/probe-b to w1/probe-a over TCP failed",
    ]);
  });

  test("pass where they take connections, and by UDP where a pod answers with its name", () => {
    expect(found(both)).toEqual([
      ...ASKERS.flatMap((source) => [
        `${source} -> default/web:http TCP passed: the ClusterIP takes connections | connected`,
        `${source} -> default/web:dns UDP passed: the ClusterIP answers | answers from web-1`,
      ]),
      "cp/probe-b -> default/web:http at web-1 TCP passed: the pod takes connections | connected",
      "cp/probe-b -> default/web:dns at web-1 UDP passed: the pod answers | answers from web-1",
      "w1/probe-b -> default/web:http at web-2 TCP passed: the pod takes connections | connected",
      "w1/probe-b -> default/web:dns at web-2 UDP passed: the pod answers | answers from web-2",
    ]);
  });

  test("fail by UDP where nobody answers, or somebody who is none of its pods", () => {
    const change = (answer: ReturnType<typeof ok>): Change => ({
      ...both,
      ...answering(({ servicePort, source }) => servicePort === "dns" && source === "w1", answer),
    });
    expect(problems(change(silent))).toEqual([
      "w1 -> default/web:dns UDP failed: the ClusterIP answers | no answer within 1.5 s",
    ]);
    expect(problems(change(ok("stranger")))).toEqual([
      "w1 -> default/web:dns UDP failed: the ClusterIP answers | answers from stranger",
    ]);
  });

  test("are named by their Service where there is no other", () => {
    expect(asked(withService({ ports: [TCP] }))[0]).toBe("cp/probe-b -> default/web connect TCP 10.96.7.7:80");
  });
});

describe("a port over UDP whose image is not podnet's", () => {
  const port = withService({ ports: [{ ...UDP, ...foreign }] });
  const onW1 = (answer: ReturnType<typeof ok>): Change => ({
    ...port,
    ...answering(({ service, source }) => service !== undefined && source === "w1", answer),
  });

  test("is not asked again when it is silent: no answer is what can be expected", () => {
    const own = world(port)
      .facts.requestsOf("service")
      .filter(({ service }) => service !== undefined);
    expect(own.map(({ silenceStands }) => silenceStands)).toEqual([true, true, true, true, true, true]);
  });

  test("passes with any answer", () => {
    expect(found(onW1(ok("who knows")))).toEqual([
      ...ASKERS.map((source) => `${source} -> default/web UDP passed: the ClusterIP answers | an answer`),
      "cp/probe-b -> default/web at web-1 UDP passed: the pod answers | an answer",
      "w1/probe-b -> default/web at web-2 UDP passed: the pod answers | an answer",
    ]);
  });

  test("fails at the pod that refuses it", () => {
    const change: Change = {
      ...port,
      ...answering(({ pod }) => pod === "web-2", REFUSED),
    };
    expect(problems(change)).toEqual([
      "w1/probe-b -> default/web at web-2 UDP failed: the pod answers | connection refused",
    ]);
  });

  test("does not apply without an answer, with the reason", () => {
    expect(problems(onW1(silent))).toEqual([
      "w1 -> default/web UDP not-applicable: the ClusterIP answers | the pods do not answer what the check sends them over UDP, so that there is no telling whether it arrives",
    ]);
  });

  test("fails where it is refused: nobody listens", () => {
    expect(problems(onW1(REFUSED))).toEqual([
      "w1 -> default/web UDP failed: the ClusterIP answers | connection refused",
    ]);
  });

  test("is blocked where the network is broken", () => {
    const change: Change = {
      ...port,
      answer: (request, good) =>
        request.claim === "node-to-pod" || request.service !== undefined || request.target === "probe" ? silent : good,
    };
    expect(problems(change)).toContain(
      "w1 -> default/web UDP blocked: the ClusterIP answers | node-to-pod from w1 to cp/probe-b over TCP failed",
    );
  });
});

describe("a node port", () => {
  const nodePort = withService({ type: "NodePort", ports: [{ ...TCP, nodePort: 30080 }] });

  test("is asked on every node's internalIp, from every node, beside the ClusterIP", () => {
    expect(asked(nodePort).filter((text) => !text.includes(" at web-"))).toEqual(
      ASKERS.flatMap((source) => [
        `${source} -> default/web connect TCP 10.96.7.7:80`,
        `${source} -> default/web at cp:30080 connect TCP 192.0.2.10:30080`,
        `${source} -> default/web at w1:30080 connect TCP 192.0.2.11:30080`,
      ]),
    );
  });

  test("passes where it takes connections", () => {
    expect(countsOf("service", nodePort)).toEqual({ passed: 8 + 12 + 2 });
    expect(found(nodePort)[1]).toBe(
      "cp/probe-b -> default/web at cp:30080 TCP passed: the node's port takes connections | connected",
    );
  });

  test("fails where it does not", () => {
    const change = { ...nodePort, ...answering(({ target }) => target === "default/web at w1:30080", silent) };
    expect(problems(change)).toEqual(
      ASKERS.map(
        (source) =>
          `${source} -> default/web at w1:30080 TCP failed: the node's port takes connections | no answer within 1.5 s`,
      ),
    );
  });

  test("is blocked where the way to the node is broken, or the node's way to pods", () => {
    const at = (claim: string): Change => ({
      ...nodePort,
      ...answering(
        (request) =>
          (request.claim === claim && (claim === "pod-to-node" ? request.target === "w1" : request.node === "w1")) ||
          (request.target === "default/web at w1:30080" && request.source === "cp/probe-b"),
        silent,
      ),
    });
    expect(problems(at("pod-to-node"))).toEqual([
      "cp/probe-b -> default/web at w1:30080 TCP blocked: the node's port takes connections | pod-to-node from cp/probe-b to w1 over TCP failed",
    ]);
    expect(problems(at("node-to-pod"))).toEqual([
      "cp/probe-b -> default/web at w1:30080 TCP blocked: the node's port takes connections | node-to-pod from w1 to cp/probe-b over TCP failed",
    ]);
  });

  test("is asked over UDP too", () => {
    const udp = withService({ type: "NodePort", ports: [{ ...UDP, nodePort: 30053 }] });
    expect(asked(udp)[1]).toBe("cp/probe-b -> default/web at cp:30053 hostnames UDP 192.0.2.10:30053 x1");
    expect(found(udp)[1]).toBe(
      "cp/probe-b -> default/web at cp:30053 UDP passed: the node's port answers | answers from web-1",
    );
  });
});

describe("a headless Service", () => {
  const NAME = "web.default.svc.cluster.local";
  const headless = withService({ type: "Headless", clusterIP: "None", ports: [{ ...TCP, port: 8080 }] });

  test("is asked at each of its pods, from every node", () => {
    expect(asked(headless)).toEqual(
      ASKERS.flatMap((source) => [
        `${source} -> default/web at web-1 connect TCP 10.244.0.9:8080`,
        `${source} -> default/web at web-2 connect TCP 10.244.1.9:8080`,
      ]),
    );
    expect(found(headless)[0]).toBe(
      "cp/probe-b -> default/web at web-1 TCP passed: the pod takes connections | connected",
    );
  });

  test("is answered over UDP by the very pod that is asked", () => {
    const udp = withService({ type: "Headless", clusterIP: "None", ports: [{ ...UDP, port: 5353 }] });
    expect(problems(udp)).toEqual([]);
    const wrong = { ...udp, ...answering(({ pod }) => pod === "web-2", ok("web-1")) };
    expect(problems(wrong)).toEqual(
      ASKERS.map((source) => `${source} -> default/web at web-2 UDP failed: the pod answers | answers from web-1`),
    );
  });

  test("has a name that resolves to exactly its pods, on every node", () => {
    expect(found(headless, "dns")).toEqual(
      ["cp", "w1"].map(
        (node) => `${node}/probe-b -> ${NAME} UDP passed: 10.244.0.9, 10.244.1.9 | 10.244.0.9, 10.244.1.9`,
      ),
    );
    expect(countsOf("dns", headless)).toEqual({ passed: 6 });
  });

  test.each([
    ["a pod less", ok("10.244.1.9"), "failed", "10.244.1.9"],
    ["an address more", ok("10.244.0.9", "10.244.1.9", "10.244.1.99"), "failed", "10.244.0.9, 10.244.1.9, 10.244.1.99"],
    ["nothing", { ok: false, error: "the name does not resolve" } as const, "failed", "the name does not resolve"],
  ])("fails where the name resolves to %s", (_, answer, status, seen) => {
    const change = {
      ...headless,
      ...answering(({ source, target }) => source === "w1/probe-b" && target === NAME, answer),
    };
    expect(problems(change, "dns")).toEqual([`w1/probe-b -> ${NAME} UDP ${status}: 10.244.0.9, 10.244.1.9 | ${seen}`]);
  });

  test("has a name whose pods are asked for again until all of them are told", () => {
    const own = world(headless)
      .facts.requestsOf("dns")
      .filter(({ service }) => service !== undefined);
    expect(own.map(({ answers }) => answers)).toEqual([2, 2]);
  });

  test("is blocked where its endpoints are wrong", () => {
    const wrong: Change = {
      ...headless,
      ...answering(({ target }) => target === NAME, { ok: false, error: "the name does not resolve" }),
      found: [{ name: "default/web", selector: { app: "wbe" }, pods: [], endpoints: [] }],
    };
    expect(problems(wrong, "dns")).toEqual(
      ["cp", "w1"].map((node) => `${node}/probe-b -> ${NAME} UDP blocked: none | endpoints of default/web failed`),
    );
  });

  test("is blocked where the pair of nodes is broken, and by nothing that is about ClusterIPs", () => {
    const change = (pair: boolean): Change => ({
      ...headless,
      answer: (request, good) =>
        (request.source === "cp/probe-b" && request.target === "default/web at web-2") ||
        (request.source === "cp/probe-b" && request.target === "probe") ||
        (pair && request.claim === "pod-to-pod" && request.source === "cp/probe-a" && request.target === "w1/probe-a")
          ? silent
          : good,
    });
    expect(problems(change(true))).toEqual([
      "cp/probe-b -> default/web at web-2 TCP blocked: the pod takes connections | pod-to-pod from cp/probe-a to w1/probe-a over TCP failed",
    ]);
    expect(problems(change(false))).toEqual([
      "cp/probe-b -> default/web at web-2 TCP failed: the pod takes connections | no answer within 1.5 s",
    ]);
  });
});

describe("session affinity", () => {
  const affinity = withService({ sessionAffinity: "ClientIP", ports: [TCP] });

  test("is asked so often that pods without it are seen but once in a million runs", () => {
    expect([2, 3, 10].map(affinityTries)).toEqual([21, 14, 7]);
    expect(asked(affinity).filter((text) => !text.includes(" at "))).toEqual(
      ASKERS.flatMap((source) => [
        `${source} -> default/web connect TCP 10.96.7.7:80`,
        `${source} -> default/web hostnames TCP 10.96.7.7:80 x21`,
      ]),
    );
  });

  test("passes where one pod answers all of a client's requests, whichever it is", () => {
    const change = {
      ...affinity,
      ...answering(({ proof, node }) => proof === "affinity" && node === "w1", ok("web-2", "web-2")),
    };
    expect(found(change).filter((text) => text.includes("one pod"))).toEqual(
      ASKERS.map(
        (source) =>
          `${source} -> default/web TCP passed: one pod answers all of 21 requests | answers from ${source.startsWith("cp") ? "web-1" : "web-2"}`,
      ),
    );
  });

  test("fails where two do", () => {
    const change = {
      ...affinity,
      ...answering(({ proof, source }) => proof === "affinity" && source === "w1", ok("web-2", "web-1", "web-2")),
    };
    expect(problems(change)).toEqual([
      "w1 -> default/web TCP failed: one pod answers all of 21 requests | answers from web-1, web-2",
    ]);
  });

  test("does not apply where the pods are not known to tell their names", () => {
    const change = withService({ sessionAffinity: "ClientIP", ports: [{ ...TCP, ...foreign }] });
    expect(asked(change)).toHaveLength(4 + 2);
    expect(
      findingsOf(change)
        .filter(({ status }) => status === "not-applicable")
        .map(line),
    ).toEqual([
      "service: default/web -> default/web TCP not-applicable: one pod answers all requests of a client | the pods are not known to answer with their names, so that session affinity cannot be told",
    ]);
  });

  test("does not apply where there is one pod", () => {
    const { "web-1": only } = PLACES;
    const change = withService({ sessionAffinity: "ClientIP", ports: [TCP] }, {}, { "web-1": only } as typeof PLACES);
    expect(
      findingsOf(change)
        .filter(({ status }) => status === "not-applicable")
        .map(line),
    ).toEqual([
      "service: default/web -> default/web TCP not-applicable: one pod answers all requests of a client | with a single pod behind the Service, session affinity cannot be told",
    ]);
  });

  test("is not asked for where it is not declared", () => {
    expect(asked(withService({ ports: [TCP] }))).toHaveLength(4 + 2);
  });
});

describe("a Service that publishes pods which are not ready", () => {
  const places = { ...PLACES, "web-2": { ...PLACES["web-2"], ready: false } };
  const silence = answering(
    ({ service, source, ask }) => service !== undefined && ask.kind !== "resolve" && source === "w1",
    silent,
  );

  test("has all its pods for endpoints", () => {
    const change = withService({ publishNotReadyAddresses: true }, {}, places);
    expect(
      findingsOf(change)
        .filter(({ claim }) => claim === "endpoints")
        .map(line)[0],
    ).toBe(
      "endpoints: default/web -> app=web - passed: endpoints are the pods with app=web: web-1, web-2 | endpoints are web-1, web-2",
    );
  });

  test("need not answer while one is not ready, and the report says so", () => {
    expect(problems(withService({ publishNotReadyAddresses: true }, silence, places))).toEqual([
      "w1 -> default/web TCP not-applicable: the ClusterIP takes connections | default/web publishes pods that are not ready, which need not answer: web-2",
    ]);
    expect(problems(withService({ publishNotReadyAddresses: true }, silence))).toEqual([
      "w1 -> default/web TCP failed: the ClusterIP takes connections | no answer within 1.5 s",
    ]);
  });

  test("is asked at the ready ones, which have to answer", () => {
    const change = withService({ publishNotReadyAddresses: true }, {}, places);
    expect(asked(change).filter((text) => text.includes(" at "))).toEqual([
      "cp/probe-b -> default/web at web-1 connect TCP 10.244.0.9:8080",
    ]);
    expect(problems({ ...change, ...answering(({ pod }) => pod !== undefined, REFUSED) })).toEqual([
      "cp/probe-b -> default/web at web-1 TCP failed: the pod takes connections | connection refused",
    ]);
  });

  test("and is headless has all of them in its name, and only the ready ones are asked", () => {
    const change = withService(
      { type: "Headless", clusterIP: "None", publishNotReadyAddresses: true, ports: [{ ...TCP, port: 8080 }] },
      {},
      places,
    );
    expect(asked(change)).toEqual(
      ASKERS.map((source) => `${source} -> default/web at web-1 connect TCP 10.244.0.9:8080`),
    );
    expect(found(change, "dns")[0]).toBe(
      "cp/probe-b -> web.default.svc.cluster.local UDP passed: 10.244.0.9, 10.244.1.9 | 10.244.0.9, 10.244.1.9",
    );
  });

  test("and is headless fails where a ready pod does not answer, whatever the others do", () => {
    const change = withService(
      { type: "Headless", clusterIP: "None", publishNotReadyAddresses: true, ports: [{ ...TCP, port: 8080 }] },
      silence,
      places,
    );
    expect(problems(change)).toEqual([
      "w1 -> default/web at web-1 TCP failed: the pod takes connections | no answer within 1.5 s",
    ]);
  });
});
