import { randomBytes } from "node:crypto";
import { z } from "zod";
import { own } from "../args/own";
import { packed, unpacked } from "../args/packed";
import { messageOf } from "../args/validate";
import { dialTable } from "../machine/dialTable";
import type { Dialled } from "../machine/dialled";
import { failuresOnEach } from "../machine/each";
import { Shell } from "../machine/shell";
import { askNode, NOTHING_LEFT } from "../node/ask";

/** What the command `hold` reads from standard input, as JSON. Holds secrets. */
export const holdInput = z.strictObject({
  owner: z.string(),
  /** The machines that stay when their resources go. */
  nodes: dialTable,
});

/** Input of the command `hold`, as it is written. */
export type HoldRequest = z.input<typeof holdInput>;

/** What the command `hold` prints: the hold, and the machines under it. Holds secrets. */
const held = z.strictObject({ hold: z.string(), nodes: z.unknown() });

/** Seconds in which a machine has to let podnet in. One that does not is told of by the undo that follows. */
const DIAL_SECONDS = 10;

const SECONDS = 60;

interface Earlier {
  readonly hold: string;
  readonly nodes: Readonly<Record<string, Dialled>>;
}

/** What an earlier run printed, if anything that can be read. */
function earlierHold(text: string | undefined): Earlier | undefined {
  try {
    const { hold, nodes } = held.parse(JSON.parse(unpacked(text ?? "")));
    return { hold, nodes: dialTable.safeParse(nodes).data ?? {} };
  } catch {
    return undefined;
  }
}

/** Whether nothing of podnet's is on a machine, such as one that was installed anew, where the program cannot answer. */
async function isBare(shell: Shell): Promise<boolean> {
  const answers = async (words: string): Promise<boolean> => (await shell.run(words, "", SECONDS)).code === 0;
  // A login shell that runs nothing says yes to all.
  return !(await answers("test ! -e /")) && (await answers(NOTHING_LEFT));
}

/**
 * Tells machines that they are released: what podnet put there will be undone. Each has to show that it runs what it is told, since
 * an undo by SSH is believed by its exit code, which a login shell that runs nothing gives as well. Throws one error with all that
 * do not; one that cannot be reached is left to the undo.
 */
async function release(owner: string, hold: string, nodes: Readonly<Record<string, Dialled>>): Promise<void> {
  const failed = await failuresOnEach(nodes, async (node, ssh) => {
    let shell: Shell;
    try {
      shell = await Shell.open(node, ssh, DIAL_SECONDS);
    } catch (error) {
      console.error(messageOf(error));
      return;
    }
    try {
      await askNode(shell, "hold", { node, owner, hold, release: "yes" }, SECONDS);
    } catch (error) {
      if (!(await isBare(shell))) {
        throw error;
      }
    } finally {
      shell.close();
    }
  });
  if (failed.length > 0) {
    throw new Error(
      `these machines do not do what they are told, so nothing would be taken off them; nothing on any machine was undone:\n  ${failed.join("\n  ")}`,
    );
  }
}

/**
 * The command `hold`: puts every machine under this stack's hold, and releases those that were under it and are no longer declared.
 * `earlier` is what it printed before.
 */
export async function holdCommand(text: string, earlier: string | undefined): Promise<void> {
  const { owner, nodes } = holdInput.parse(JSON.parse(text));
  const before = earlierHold(earlier);
  const hold = before?.hold ?? randomBytes(8).toString("hex");
  const left = Object.entries(before?.nodes ?? {}).filter(([node]) => own(nodes, node) === undefined);
  await release(owner, hold, Object.fromEntries(left));
  await Promise.all(
    Object.entries(nodes).map(([node, ssh]) =>
      Shell.use(node, ssh, (shell) => askNode(shell, "hold", { node, owner, hold }, SECONDS)),
    ),
  );
  console.log(packed(JSON.stringify({ hold, nodes: (JSON.parse(text) as HoldRequest).nodes })));
}

/** The command `hold release`: releases every machine that is still under this hold. `earlier` is what `hold` printed. */
export async function releaseCommand(text: string, earlier: string | undefined): Promise<void> {
  const { owner, nodes } = holdInput.parse(JSON.parse(text));
  const before = earlierHold(earlier);
  if (before !== undefined) {
    await release(owner, before.hold, nodes);
  }
}
