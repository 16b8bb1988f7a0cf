import { z } from "zod";

/** What the check reads from standard input, as JSON. Holds secrets. */
export const checkInput = z.strictObject({
  kubeconfig: z.string(),
  dnsDomain: z.string(),
  /** Nodes by name. */
  nodes: z.record(
    z.string(),
    z.strictObject({
      internalIp: z.string(),
      podCidr: z.string(),
      /** MTU that pods of this node should have, in bytes. */
      mtu: z.number(),
      connection: z.strictObject({
        host: z.string(),
        port: z.number(),
        user: z.string(),
        privateKey: z.string(),
        hostKey: z.string(),
      }),
    }),
  ),
  /** ClusterIP of each of the check's own Services, by name. */
  probeServices: z.record(z.string(), z.string()),
  /** Services of the program, proven with the rest. */
  services: z.array(
    z.strictObject({
      namespace: z.string(),
      name: z.string(),
      clusterIP: z.string(),
      selector: z.record(z.string(), z.string()),
      ports: z.array(z.strictObject({ port: z.number(), targetPort: z.number(), protocol: z.string() })),
    }),
  ),
  /** Seconds until probes that do not become ready are given up on. */
  readyTimeout: z.number(),
});

/** Input of the check. */
export type CheckInput = z.output<typeof checkInput>;
