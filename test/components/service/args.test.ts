import { describe, expect, test } from "vitest";
import { InvalidInputError, validate } from "../../../components/args/validate";
import { selectedServiceArgs, serviceName } from "../../../components/service/args";

const port = { port: 80, targetPort: 8080, protocol: "TCP" };
const web = {
  serviceName: "web",
  namespace: "default",
  selector: { app: "web" },
  ports: [port],
  type: "ClusterIP",
  sessionAffinity: "None",
  publishNotReadyAddresses: false,
};

/** The problems of a Service, in lines. */
function problems(more: object): string[] {
  try {
    validate("SelectedService args", selectedServiceArgs, { ...web, ...more });
    return [];
  } catch (error) {
    if (!(error instanceof InvalidInputError)) {
      throw error;
    }
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

test("a Service with all that it can have is valid", () => {
  expect(
    problems({
      type: "NodePort",
      sessionAffinity: "ClientIP",
      publishNotReadyAddresses: true,
      ports: [
        { ...port, name: "http", nodePort: 30080 },
        { ...port, name: "dns", port: 53, protocol: "UDP", nodePort: 30053 },
        { ...port, name: "dns-tcp", port: 53, nodePort: 30053 },
      ],
    }),
  ).toEqual([]);
});

describe("a name", () => {
  test.each(["web", "w", "web-1", "a".repeat(63)])("%s is legal", (name) => {
    expect(serviceName.safeParse(name).success).toBe(true);
  });

  test.each(["1web", "-web", "web-", "Web", "web.shop", "a".repeat(64), ""])('"%s" is refused', (name) => {
    expect(serviceName.safeParse(name).success).toBe(false);
  });

  test("that starts with a digit is refused with the rule", () => {
    expect(problems({ serviceName: "1web" })).toEqual([
      'serviceName: must be a DNS label that starts with a letter (a-z, 0-9 and -, at most 63 characters, not ending with -), got "1web"',
    ]);
  });

  test.each(["http", "a", "8080-tcp", "dns-tcp", "a".repeat(15)])("of a port, %s is legal", (name) => {
    expect(problems({ ports: [{ ...port, name }] })).toEqual([]);
  });

  test.each(["8080", "-http", "http-", "a--b", "HTTP", "http_alt", "a".repeat(16), ""])(
    'of a port, "%s" is refused',
    (name) => {
      expect(problems({ ports: [{ ...port, name }] })).toEqual([
        `ports.0.name: must be an IANA service name (a-z, 0-9 and single - between them, a letter at least, at most 15 characters), got "${name}"`,
      ]);
    },
  );
});

test("choices name what there is to choose from", () => {
  expect(
    problems({ type: "LoadBalancer", sessionAffinity: "Cookie", ports: [{ ...port, protocol: "SCTP", nodePort: 80 }] }),
  ).toEqual([
    'ports.0.protocol: must be "TCP" or "UDP", got "SCTP"',
    "ports.0.nodePort: must be a whole number between 30000 and 32767, got 80",
    'type: must be "ClusterIP", "NodePort" or "Headless", got "LoadBalancer"',
    'sessionAffinity: must be "None" or "ClientIP", got "Cookie"',
    'ports.0.nodePort: is for a Service of type "NodePort" only, and the type is "LoadBalancer"',
  ]);
});

test("ports are at least one, and known by their keys", () => {
  expect(problems({ ports: [] })).toEqual(["ports: must have at least one port"]);
  expect(problems({ ports: [{ ...port, targetport: 80 }] })).toEqual([
    'ports.0.targetport: unknown key; did you mean "targetPort"?',
  ]);
  expect(problems({ ports: 80 })).toEqual(["ports: must be an array, got 80"]);
});

test("several ports have names, and no two have the same", () => {
  expect(problems({ ports: [port, { ...port, port: 81 }] })).toEqual([
    "ports.0.name: is required: a Service with several ports names each of them",
    "ports.1.name: is required: a Service with several ports names each of them",
  ]);
  expect(
    problems({
      ports: [
        { ...port, name: "http" },
        { ...port, name: "http", port: 81 },
      ],
    }),
  ).toEqual(['ports.1.name: "http" is the name of ports.0 already']);
});

test("no two ports have the same number and transport, for clients or on the nodes", () => {
  expect(
    problems({
      type: "NodePort",
      ports: [
        { ...port, name: "a", nodePort: 30080 },
        { ...port, name: "b", nodePort: 30080 },
        { ...port, name: "c", nodePort: 30080, protocol: "UDP" },
      ],
    }),
  ).toEqual([
    "ports.1.port: TCP 80 is taken by ports.0 already",
    "ports.1.nodePort: TCP 30080 is taken by ports.0 already",
  ]);
});

test("a node port without the type is refused, not left unused", () => {
  expect(problems({ ports: [{ ...port, nodePort: 30080 }] })).toEqual([
    'ports.0.nodePort: is for a Service of type "NodePort" only, and the type is "ClusterIP"',
  ]);
});

test("a headless Service maps no ports and has no affinity", () => {
  expect(problems({ type: "Headless", sessionAffinity: "ClientIP" })).toEqual([
    "ports.0.targetPort: must be the port, 80: nothing maps ports in front of a headless Service's pods",
    'sessionAffinity: "ClientIP" needs a ClusterIP: the clients of a headless Service choose a pod by themselves',
  ]);
});

test("all problems come at once, whether of one value or of two together", () => {
  expect(problems({ serviceName: "1web", selector: {}, ports: [{ ...port, port: 0 }, port] })).toEqual([
    expect.stringMatching(/^serviceName: /),
    "selector: must have at least one label: an empty selector matches no pod",
    "ports.0.port: must be a whole number between 1 and 65535, got 0",
    "ports.0.name: is required: a Service with several ports names each of them",
    "ports.1.name: is required: a Service with several ports names each of them",
  ]);
});
