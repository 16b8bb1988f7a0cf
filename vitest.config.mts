import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/lab/**", "node_modules/**"],
    testTimeout: 20_000,
    // Much of what they do is waiting. By default there would be one worker on two cores.
    maxWorkers: Math.max(2, availableParallelism()),
  },
});
