import type { Shell } from "../machine/shell";
import { answerLines, nonceIn, type Parameters, parametersText } from "./parameters";

/** A phase of the node program. */
export type Phase =
  "take" | "install" | "init" | "join" | "members" | "configure" | "register" | "network" | "change" | "enable";

/** A phase that is run over an open connection, not by a resource of its own. */
export type Question = "status" | "discover" | "probe" | "way" | "images" | "hold";

/** Folder of the upload, below the home of the SSH user. */
export const UPLOAD = ".podnet/program";

/** The words that start the program on a node: plain, so that every login shell reads them alike. */
export function startWords(phase: Phase | Question, option = ""): string {
  return `bash --norc -p ${UPLOAD}/start ${phase}${option === "" ? "" : ` ${option}`}`;
}

/**
 * The words of a test that nothing of podnet's is left on a machine, neither upload nor owner's mark. An undo that is asked for
 * once more, or on a machine that was installed anew, has nothing to do then. sh, csh and fish read it alike.
 */
export const NOTHING_LEFT = `test ! -e ${UPLOAD}/start -a ! -e /var/lib/podnet/owner`;

/** What to do where a question has no answer: nothing was recorded as done. */
const AGAIN = "run it again";

/** Asks the program on a node a question over an open connection. Throws, naming the node, when it gives no whole answer. */
export async function askNode(
  shell: Shell,
  question: Question,
  parameters: Parameters,
  seconds: number,
): Promise<string[]> {
  const text = parametersText(question, parameters);
  const { stdout, stderr, code } = await shell.run(startWords(question), text, seconds);
  if (code !== 0) {
    throw new Error(`${shell.name}: ${question} ended with code ${String(code)}: ${stderr.trim().slice(-400)}`);
  }
  return answerLines(shell.name, question, nonceIn(text), stdout, AGAIN);
}
