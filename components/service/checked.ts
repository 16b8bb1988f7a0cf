import { z } from "zod";
import { AGNHOST_IMAGE } from "../node/releases";
import { PORT_PROTOCOLS, type PortProtocol, SERVICE_TYPES, SESSION_AFFINITIES } from "./args";

/** A port of a Service as the connectivity check has to know it. */
export const checkedPort = z.strictObject({
  name: z.string(),
  port: z.number(),
  targetPort: z.number(),
  protocol: z.enum(PORT_PROTOCOLS),
  /** Port of every node, on a Service of type NodePort. */
  nodePort: z.number().optional(),
  /** Whether its pods answer the request `hostname` with their name, as agnhost does. */
  answersName: z.boolean(),
});

/** A Service as the connectivity check has to know it. */
export const checkedService = z
  .strictObject({
    namespace: z.string(),
    name: z.string(),
    type: z.enum(SERVICE_TYPES),
    /** `None` on a headless Service. */
    clusterIP: z.string(),
    selector: z.record(z.string(), z.string()),
    sessionAffinity: z.enum(SESSION_AFFINITIES),
    publishNotReadyAddresses: z.boolean(),
    ports: z.array(checkedPort),
  })
  .refine(({ type, ports }) => type !== "NodePort" || ports.every(({ nodePort }) => nodePort !== undefined), {
    error: "a Service of type NodePort has a node port for each of its ports",
  });

/** A Service as the connectivity check has to know it. */
export type CheckedService = z.output<typeof checkedService>;

/** Ports that agnhost's `netexec` listens on by default. */
const NETEXEC = { TCP: { flag: "--http-port", port: 8080 }, UDP: { flag: "--udp-port", port: 8081 } } as const;

/**
 * Whether a workload is known to answer on a port with its pod's name: podnet's agnhost image running `netexec` there. Of
 * any other image nothing is known.
 */
export function answersName(
  image: string | undefined,
  args: readonly string[],
  { protocol, targetPort }: { readonly protocol: PortProtocol; readonly targetPort: number },
): boolean {
  if (image !== AGNHOST_IMAGE || args[0] !== "netexec" || args.some((arg) => arg.startsWith("--tls-"))) {
    return false;
  }
  const { flag, port } = NETEXEC[protocol];
  const joined = args.find((arg) => arg.startsWith(`${flag}=`))?.slice(flag.length + 1);
  const given = joined ?? (args.includes(flag) ? args[args.indexOf(flag) + 1] : undefined);
  return targetPort === (given === undefined ? port : Number(given));
}
