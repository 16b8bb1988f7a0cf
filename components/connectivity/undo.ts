/** Does something that `undo` takes back at its end, whatever happens: also when the program is told to end. */
export async function withUndo<T>(undo: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  const onSignal = (): void => {
    void undo().finally(() => process.exit(2));
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    return await work();
  } finally {
    try {
      await undo();
    } finally {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    }
  }
}
