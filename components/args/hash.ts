import { createHash } from "node:crypto";

/** The first 16 hexadecimal digits of a content's SHA-256: enough to tell one content from another. */
export function shortHash(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}
