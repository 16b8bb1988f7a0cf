import { afterEach, beforeEach, expect, test } from "vitest";
import type { Parameters } from "../../../../components/node/parameters";
import { bundled, Machine } from "./machine";
import { OWNER, TAKE } from "./node";

const program = bundled();
const [A, B] = ["aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"];

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
});
afterEach(() => machine.close());

const hold = (name: string, more: Parameters = {}): Promise<string[]> =>
  machine.does("hold", { ...OWNER, hold: name, ...more });
const release = (name: string): Promise<string[]> => hold(name, { release: "yes" });
const work = (): Promise<string> => machine.sh("head -n 1 /var/lib/podnet/work/take | cut -d' ' -f2");

test("what was applied twice counts once after a release by the hold that the machine is under", async () => {
  await machine.does("take", TAKE);
  expect(await hold(A)).toEqual(["held"]);
  await machine.does("take", TAKE);
  expect(await work()).toBe("2");
  expect(await release(A)).toEqual(["released"]);
  expect(await work()).toBe("1");
  await machine.does("take --undo", TAKE);
  expect(await machine.sh("ls -A /var/lib/podnet 2>/dev/null || echo gone")).toBe("gone");
});

test("what an update of which Pulumi has no record applied is undone after a release, and not before", async () => {
  await machine.does("take", TAKE);
  await hold(A);
  await machine.does("take --update", { ...TAKE, cluster: "demo2" });
  await machine.does("take --undo", TAKE);
  expect(await work()).toBe("1");
  expect(await release(A)).toEqual(["released"]);
  await machine.does("take --undo", TAKE);
  expect(await machine.sh("ls -A /var/lib/podnet 2>/dev/null || echo gone")).toBe("gone");
});

test("what is applied after a release is held by its own work again", async () => {
  await machine.does("take", TAKE);
  await hold(A);
  await release(A);
  await machine.does("take --update", { ...TAKE, cluster: "demo2" });
  await machine.does("take --undo", TAKE);
  expect(await work()).toBe("1");
});

test("a hold that another one has replaced releases nothing", async () => {
  await machine.does("take", TAKE);
  await machine.does("take", TAKE);
  await hold(A);
  await hold(B);
  expect(await release(A)).toEqual(["held anew"]);
  expect(await work()).toBe("2");
});

test("a machine of nobody's, or of another's, is left as it is", async () => {
  expect(await hold(A)).toEqual(["not ours"]);
  expect(await machine.sh("ls -A /var/lib/podnet 2>/dev/null || echo none")).toBe("none");
  await machine.does("take", TAKE);
  await machine.does("take", TAKE);
  const other = { owner: "99999999-2222-3333-4444-555555555555" };
  expect(await hold(A, { ...other, release: "yes" })).toEqual(["not ours"]);
  expect(await work()).toBe("2");
});
