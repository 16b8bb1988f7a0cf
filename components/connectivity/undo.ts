/** What is still to be taken back; several proofs may be at work at once. */
const pending = new Set<() => Promise<void>>();

/** Takes everything back, then ends the program. */
function onSignal(): void {
  void Promise.allSettled([...pending].map((undo) => undo())).finally(() => process.exit(2));
}

/** Does something that `undo` takes back at its end, whatever happens: also when the program is told to end. */
export async function withUndo<T>(undo: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  if (pending.size === 0) {
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  }
  pending.add(undo);
  try {
    return await work();
  } finally {
    try {
      await undo();
    } finally {
      pending.delete(undo);
      if (pending.size === 0) {
        process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      }
    }
  }
}
