import { expect, test } from "vitest";
import { withUndo } from "../../../components/connectivity/undo";

test("what was done is undone at its end, whether it went well or not", async () => {
  const steps: string[] = [];
  const undo = () => {
    steps.push("undo");
    return Promise.resolve();
  };
  await expect(withUndo(undo, () => Promise.resolve(steps.push("work")))).resolves.toBe(1);
  await expect(withUndo(undo, () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  expect(steps).toEqual(["work", "undo", "undo"]);
  expect(process.listeners("SIGTERM")).toHaveLength(0);
});
