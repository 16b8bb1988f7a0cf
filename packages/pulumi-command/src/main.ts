import { serve } from "./server";

/** Interval in ms at which the provider looks whether the program that started it is still there. */
const orphanCheck = 5000;

/** Starts the provider for an engine, whose address is the first argument that is not an option, and prints the port. */
async function main(args: readonly string[]): Promise<void> {
  const address = args.find((arg, i) => !arg.startsWith("-") && args[i - 1] !== "--tracing");
  const serving = await serve(address);
  console.log(serving.port.toString());
  if (address !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      // Nobody is left to take a result. What runs is allowed to end, as the official provider does.
      if (process.ppid !== parent && serving.running() === 0) {
        process.exit(0);
      }
    }, orphanCheck);
  }
}

void main(process.argv.slice(2));
