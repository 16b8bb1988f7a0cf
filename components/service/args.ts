import { z } from "zod";
import { dnsLabel, image, oneOf, port, programArgs, replicas, selector, whole } from "../args/schemas";
import { show } from "../args/validate";
import { CHECK_NAMESPACE, SERVICE_LABEL } from "./selector";

/** How a Service is reached: by an address in front of its pods, by a port of every node besides, or at its pods' own. */
export type ServiceType = "ClusterIP" | "NodePort" | "Headless";
/** Every type of a Service. */
export const SERVICE_TYPES = ["ClusterIP", "NodePort", "Headless"] as const satisfies readonly ServiceType[];

/** Whether a client's requests all go to one pod (`ClientIP`) or to any (`None`). */
export type SessionAffinity = "None" | "ClientIP";
/** Every session affinity. */
export const SESSION_AFFINITIES = ["None", "ClientIP"] as const satisfies readonly SessionAffinity[];

/** Transport of a Service's port. */
export type PortProtocol = "TCP" | "UDP";
/** Every transport of a Service's port. */
export const PORT_PROTOCOLS = ["TCP", "UDP"] as const satisfies readonly PortProtocol[];

/** Name that the only port of a Service has by default. */
const DEFAULT_PORT_NAME = "main";

/** Name of a Service: a DNS label by RFC 1035, which starts with a letter. */
export const serviceName = z.string().refine((value) => /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value), {
  error: (issue) =>
    `must be a DNS label that starts with a letter (a-z, 0-9 and -, at most 63 characters, not ending with -), got ${show(issue.input)}`,
});

/** Name of a port: an IANA service name by RFC 6335, in lower case as Kubernetes wants it. */
const portName = z.string().refine((value) => value.length <= 15 && /^(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/.test(value), {
  error: (issue) =>
    `must be an IANA service name (a-z, 0-9 and single - between them, a letter at least, at most 15 characters), got ${show(issue.input)}`,
});

/** Port of every node: the range that an API server gives them from by default. */
const nodePort = whole(30000, 32767);

const servicePort = z.strictObject({
  name: portName.optional(),
  port,
  targetPort: port.optional(),
  protocol: oneOf(PORT_PROTOCOLS),
  nodePort: nodePort.optional(),
});

const fields = z.strictObject({
  serviceName,
  namespace: dnsLabel,
  selector,
  image: image.optional(),
  args: programArgs.optional(),
  replicas: replicas.optional(),
  ports: z.array(servicePort).min(1, { error: "must have at least one port" }),
  type: oneOf(SERVICE_TYPES),
  sessionAffinity: oneOf(SESSION_AFFINITIES),
  publishNotReadyAddresses: z.boolean(),
  timeout: whole(1, 3600).optional(),
});

type Fields = z.output<typeof fields>;
type Port = Fields["ports"][number];

/** A valid port, with the defaults that follow from what else is given. */
export interface ValidPort extends Port {
  name: string;
  targetPort: number;
}

/** Arguments of SelectedService, valid and with all defaults. */
export interface ValidService extends Fields {
  ports: ValidPort[];
}

/** Fills in the defaults that follow from what else is given: the only port's name, and the pods' ports. */
export function withDefaults(service: Fields): ValidService {
  return {
    ...service,
    ports: service.ports.map((own) => ({
      ...own,
      name: own.name ?? DEFAULT_PORT_NAME,
      targetPort: own.targetPort ?? own.port,
    })),
  };
}

/** Says where something is wrong, and what. */
type Report = (path: readonly (string | number)[], message: string) => void;

/** Arguments of SelectedService: each for itself, and what two of them say together. */
export const selectedServiceArgs = fields.superRefine(
  (value, context) => {
    const report: Report = (path, message) => {
      context.addIssue({ code: "custom", path: [...path], message });
    };
    // What is no list or no object was reported as such, and what is not known yet is undefined.
    const ports: readonly unknown[] = Array.isArray(value.ports) ? value.ports : [];
    ports.forEach((_, index) => {
      problemsOfPort(value.ports, value.type, index, report);
    });
    problemsOfNames(value, report);
    if (value.sessionAffinity === "ClientIP" && value.type === "Headless") {
      report(
        ["sessionAffinity"],
        `"ClientIP" needs a ClusterIP: the clients of a headless Service choose a pod by themselves`,
      );
    }
  },
  { when: () => true },
);

/** Services that every cluster has, and what would run in their place, by `NAMESPACE/NAME`. */
const OWNERS: Readonly<Record<string, string>> = {
  "default/kubernetes": "the API server",
  "kube-system/kube-dns": "the cluster's DNS",
  "kube-system/coredns": "the cluster's DNS",
};

/** What stands between a Service's name, its namespace and its selector, and what the cluster and podnet call theirs. */
function problemsOfNames(value: Partial<Fields>, report: Report): void {
  const { serviceName: name, namespace = "", selector: labels } = value;
  if (namespace === CHECK_NAMESPACE) {
    report(
      ["namespace"],
      `${show(namespace)} is the connectivity check's own, which it makes and removes; choose another`,
    );
  }
  if (name === undefined) {
    return;
  }
  const owner = OWNERS[`${namespace}/${name}`];
  if (owner !== undefined) {
    report(["serviceName"], `${show(name)} in the namespace ${namespace} is ${owner}'s own; choose another name`);
  }
  const own: unknown = (labels as Record<string, unknown> | undefined)?.[SERVICE_LABEL];
  if (own !== undefined && own !== name) {
    report(
      ["selector"],
      `"${SERVICE_LABEL}" is podnet's own label, which its pods have with the Service's name, ${show(name)}; take it away`,
    );
  }
}

function problemsOfPort(ports: Port[], type: ServiceType | undefined, index: number, report: Report): void {
  const own = at(ports, index);
  const before = ports.slice(0, index).map((_, other) => at(ports, other));
  const path = (key: string) => ["ports", index, key];
  if (own.name === undefined && ports.length > 1) {
    report(path("name"), "is required: a Service with several ports names each of them");
  }
  const sameName = own.name === undefined ? -1 : before.findIndex(({ name }) => name === own.name);
  if (sameName >= 0) {
    report(path("name"), `${show(own.name)} is the name of ports.${String(sameName)} already`);
  }
  for (const key of ["port", "nodePort"] as const) {
    const { [key]: number, protocol } = own;
    const same = before.findIndex((other) => other[key] === number && other.protocol === protocol);
    if (same >= 0 && number !== undefined && protocol !== undefined) {
      report(path(key), `${protocol} ${String(number)} is taken by ports.${String(same)} already`);
    }
  }
  if (own.nodePort !== undefined && type !== undefined && type !== "NodePort") {
    report(path("nodePort"), `is for a Service of type "NodePort" only, and the type is ${show(type)}`);
  }
  if (type === "Headless" && own.port !== undefined && own.targetPort !== undefined && own.port !== own.targetPort) {
    report(
      path("targetPort"),
      `must be the port, ${String(own.port)}: nothing maps ports in front of a headless Service's pods`,
    );
  }
}

type PartialPort = Partial<Port>;

function at(ports: Port[], index: number): PartialPort {
  const port: unknown = ports[index];
  return typeof port === "object" && port !== null ? port : {};
}
