import { endWithParent } from "./orphan";
import { serve } from "./server";

/** Starts the provider for an engine, whose address is the first argument that is not an option, and prints the port. */
async function main(args: readonly string[]): Promise<void> {
  const address = args.find((arg, i) => !arg.startsWith("-") && args[i - 1] !== "--tracing");
  const serving = await serve(address);
  console.log(serving.port.toString());
  if (address !== undefined) {
    endWithParent();
  }
}

void main(process.argv.slice(2));
