/** A frame of a file that lies right in an npm scope, where a source map puts the Pulumi SDK's: `node_modules/@pulumi/output.ts`. */
const IN_SCOPE = /([/\\]node_modules[/\\]@[^/\\\s]+)([/\\])(?=[^/\\\s]+(?:\s|$))/g;

type Prepare = (error: Error, frames: NodeJS.CallSite[]) => unknown;

const guarded = new WeakSet<Prepare>();

/**
 * Gives every stack frame a form that Node can colour. Node 20.20 never ends with one of a file that lies right in an npm scope,
 * and Pulumi's runner colours each error that a program throws: so the program would spin in silence where it should say why.
 */
export function guardFrames(): void {
  const { prepareStackTrace: before } = Error as { prepareStackTrace?: Prepare };
  // Node's own source maps take no other hand in stacks.
  if (before === undefined || guarded.has(before) || process.sourceMapsEnabled) {
    return;
  }
  const guard: Prepare = (error, frames) => {
    const stack = before(error, frames);
    return typeof stack === "string" ? stack.replace(IN_SCOPE, "$1$2.$2") : stack;
  };
  guarded.add(guard);
  Error.prepareStackTrace = guard;
}
