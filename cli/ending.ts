import { messageOf } from "../components/args/validate";

/**
 * Runs a command and sets the process's exit code to what it returns. Until then, and where it throws, that is `failed`: Node ends
 * a process that has nothing left to wait for, and would call that a success.
 */
export async function toItsEnd(failed: number, work: () => Promise<number>): Promise<void> {
  process.exitCode = failed;
  const idle = (): void =>
    console.error("this command ended before its work was done, and nobody knows how that went: a fault of podnet's");
  process.once("beforeExit", idle);
  try {
    process.exitCode = await work();
  } catch (error) {
    console.error(messageOf(error));
  } finally {
    process.off("beforeExit", idle);
  }
}
