import { z } from "zod";
import { dnsLabel, image, port, protocol, replicas, selector } from "../args/schemas";

/** Arguments of SelectedService. */
export const selectedServiceArgs = z.strictObject({
  serviceName: dnsLabel,
  namespace: dnsLabel,
  selector,
  image: image.optional(),
  args: z.array(z.string()).optional(),
  replicas: replicas.optional(),
  port,
  targetPort: port,
  protocol,
});
