import { configDefaults, defineConfig } from "vitest/config";

/** Files that `make soak` runs and `make test` does not, which has to stay under 45 minutes. */
const SOAK_ONLY = ["fates", "kills", "objects", "pages"];
/** Files that `make soak` runs at greater length: more rounds, and all twelve changes of network. */
const LONGER = ["lab", "networks"];
const soak = process.env["PODNET_SOAK"] === "1";
const file = (name: string): string => `test/lab/${name}.test.ts`;

export default defineConfig({
  test: {
    include: soak ? [...SOAK_ONLY, ...LONGER].map(file) : ["test/lab/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(soak ? [] : SOAK_ONLY.map(file))],
    // One lab for all: the files run one after another, in the order of their names.
    fileParallelism: false,
    sequence: { shuffle: false },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
