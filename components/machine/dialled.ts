import { z } from "zod";
import { secretText } from "../args/schemas";

/** A connection with every field given, as it goes to what dials. Holds a secret. */
export const dialled = z.strictObject({
  host: z.string(),
  port: z.number(),
  user: z.string(),
  privateKey: secretText,
  hostKey: z.string(),
});

/** A connection with every field given. */
export type Dialled = z.output<typeof dialled>;
