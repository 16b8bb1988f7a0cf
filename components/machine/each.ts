import { messageOf } from "../args/validate";
import type { Dialled } from "./dialled";

/** Does work on every machine at once, and returns what failed, a message each. */
export async function failuresOnEach(
  machines: Readonly<Record<string, Dialled>>,
  work: (name: string, ssh: Dialled) => Promise<unknown>,
): Promise<string[]> {
  const results = await Promise.allSettled(Object.entries(machines).map(([name, ssh]) => work(name, ssh)));
  return results.flatMap((result) => (result.status === "rejected" ? [messageOf(result.reason)] : []));
}
