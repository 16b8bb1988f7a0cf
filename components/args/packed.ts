import { gunzipSync, gzipSync } from "node:zlib";

/**
 * Characters of a text that a command is handed as an environment variable, as its earlier output is: Linux takes 131,072 of one
 * (MAX_ARG_STRLEN), its name included.
 */
const MOST = 100_000;

const MARK = "gzip ";

/** A command's output as it is printed: as it is, or compressed where it could not be handed back to the command. */
export function packed(text: string): string {
  return text.length <= MOST ? text : MARK + gzipSync(text).toString("base64");
}

/** The text that {@link packed} was given. Throws when it is cut off. */
export function unpacked(text: string): string {
  return text.startsWith(MARK) ? gunzipSync(Buffer.from(text.slice(MARK.length), "base64")).toString("utf8") : text;
}
