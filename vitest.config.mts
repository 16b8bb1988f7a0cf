import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/lab/**", "node_modules/**"],
    // Only for what hangs: a machine may be busy with other things.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Half of what they do is waiting, and by default there is a worker less than cores.
    maxWorkers: availableParallelism() + 1,
  },
});
