import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/lab/**", "node_modules/**"],
    testTimeout: 20_000,
    // Half of what they do is waiting, and by default there is a worker less than cores.
    maxWorkers: availableParallelism() + 1,
  },
});
