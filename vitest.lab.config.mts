import { configDefaults, defineConfig } from "vitest/config";

/** Files that `make soak` runs and `make test` does not, which has to stay under 45 minutes. */
const SOAK_ONLY = ["fates", "kills", "objects", "pages"].map((name) => `test/lab/${name}.test.ts`);

export default defineConfig({
  test: {
    include: ["test/lab/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(process.env["PODNET_SOAK"] === "1" ? [] : SOAK_ONLY)],
    // One lab for all: the files run one after another, in the order of their names.
    fileParallelism: false,
    sequence: { shuffle: false },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
