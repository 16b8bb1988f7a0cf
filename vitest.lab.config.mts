import { configDefaults, defineConfig } from "vitest/config";

/** Files that kill, lose and replace each resource. */
const FAULTS = ["fates", "kills", "objects", "planted"];
/** Files of the long suites, by the make target that runs them: each takes about an hour. */
const SUITES: Readonly<Record<string, readonly string[]>> = {
  // The first two run in `make test` too: here with more rounds, and with all twelve changes of network.
  soak: ["lab", "networks", "pages"],
  faults: FAULTS,
};
/** Files that `make test`, which has to stay under 45 minutes, leaves to them. */
const LONG = ["pages", ...FAULTS];
const suite = process.env["PODNET_SUITE"];
const file = (name: string): string => `test/lab/${name}.test.ts`;

export default defineConfig({
  test: {
    include: SUITES[suite ?? ""]?.map(file) ?? ["test/lab/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(suite === undefined ? LONG.map(file) : [])],
    // One lab for all: the files run one after another, in the order of their names.
    fileParallelism: false,
    sequence: { shuffle: false },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
