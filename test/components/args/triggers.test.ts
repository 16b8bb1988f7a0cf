import { execFileSync } from "node:child_process";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { join } from "node:path";
import { expect, test } from "vitest";
import { triggersOf } from "../../../components/args/triggers";

/** What is known of an Output without the engine. */
async function told(value: unknown): Promise<{ value: unknown; secret: boolean; known: boolean }> {
  const output = pulumi.output(value) as pulumi.Output<unknown> &
    Record<"isKnown" | "isSecret", Promise<boolean>> & {
      promise(): Promise<unknown>;
    };
  return { value: await output.promise(), secret: await output.isSecret, known: await output.isKnown };
}

test("leaves plain and known values as they are", async () => {
  const [text, number, output, nested] = triggersOf("a", 1, pulumi.output("b"), [pulumi.output("c"), "d"]);
  expect([text, number]).toEqual(["a", 1]);
  expect(await told(output)).toEqual({ value: "b", secret: false, known: true });
  expect(await told(nested)).toEqual({ value: ["c", "d"], secret: false, known: true });
});

test("tells a secret apart by its hash, at whatever depth it stands", async () => {
  const secrets = triggersOf(pulumi.secret("s3cret"), [pulumi.output("a"), pulumi.secret("s3cret")], {
    inner: { most: pulumi.secret("s3cret") },
  });
  for (const each of secrets) {
    const { value, secret, known } = await told(each);
    expect(value).toMatch(/^[0-9a-f]{16}$/);
    expect({ secret, known }).toEqual({ secret: false, known: true });
  }
  const [one, same, other] = await Promise.all(
    triggersOf(pulumi.secret("s3cret"), pulumi.secret("s3cret"), pulumi.secret("another")).map(told),
  );
  expect(same).toEqual(one);
  expect(other?.value).not.toBe(one?.value);
});

test("keeps what is not known yet unknown, and no secret", async () => {
  const secrets = triggersOf(pulumi.secret(unknown), [pulumi.secret(unknown)], pulumi.output(unknown));
  for (const each of secrets) {
    expect(await told(each)).toMatchObject({ secret: false, known: false });
  }
});

test("stands before every trigger of a command that a component makes", () => {
  const project = join(__dirname, "..", "..", "..");
  const lines = execFileSync("git", ["grep", "-nE", "\\btriggers: ", "--", "components", "bench"], {
    cwd: project,
    encoding: "utf8",
  });
  const made = lines.trim().split("\n");
  expect(made.length).toBeGreaterThan(3);
  expect(made.filter((line) => !line.includes("triggers: triggersOf("))).toEqual([]);
});
