import { z } from "zod";
import { secretText } from "../args/schemas";

/** What the endpoints' command reads from standard input, as JSON. Holds a secret. */
export const endpointsInput = z.strictObject({
  kubeconfig: secretText,
  namespace: z.string(),
  name: z.string(),
  selector: z.record(z.string(), z.string()),
  replicas: z.number().optional(),
  /** Whether pods that are not ready are endpoints too. */
  publishNotReadyAddresses: z.boolean().optional(),
  /** Seconds to wait for ready endpoints. */
  timeout: z.number(),
});

/** Input of the endpoints' command. */
export type EndpointsInput = z.output<typeof endpointsInput>;

/** What the endpoints' command prints. */
export const endpointsOutput = z.strictObject({ endpoints: z.array(z.string()) });
