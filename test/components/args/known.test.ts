import { execFileSync } from "node:child_process";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { expect, test } from "vitest";
import { known } from "../../../components/args/known";

type Seen = pulumi.Output<unknown> & Record<"isKnown" | "isSecret", Promise<boolean>> & { promise(): Promise<unknown> };

async function told(output: pulumi.Output<unknown>): Promise<unknown> {
  const seen = output as Seen;
  return { value: await seen.promise(), known: await seen.isKnown, secret: await seen.isSecret };
}

test("hands on what was put out, secrets as secrets", async () => {
  expect(await told(known(pulumi.output("a")))).toEqual({ value: "a", known: true, secret: false });
  expect(await told(known(pulumi.secret("a")))).toEqual({ value: "a", known: true, secret: true });
  expect(await told(known(pulumi.output("")))).toEqual({ value: "", known: true, secret: false });
});

test("knows nothing of what was not put out, so that nothing is read out of it", async () => {
  let read = 0;
  const of = (output: pulumi.Output<string | undefined>) =>
    known(output as pulumi.Output<string>).apply((text) => {
      read++;
      return JSON.parse(text) as unknown;
    });
  expect(await told(of(pulumi.output<string | undefined>(undefined)))).toMatchObject({ known: false, secret: false });
  expect(await told(of(pulumi.secret<string | undefined>(undefined)))).toMatchObject({ known: false, secret: true });
  expect(await told(of(pulumi.output(unknown) as unknown as pulumi.Output<string>))).toMatchObject({ known: false });
  expect(read).toBe(0);
});

test("stands before everything that a component reads out of a command", () => {
  const cwd = join(__dirname, "..", "..", "..");
  const git = (...words: string[]): string[] =>
    execFileSync("git", ["grep", ...words, "--", "components/*.ts"], { cwd, encoding: "utf8" })
      .trim()
      .split("\n");
  const files = git("-l", 'from "@pulumi/command"');
  expect(files.length).toBeGreaterThan(5);
  const read = git("-n", "\\.stdout\\b").filter((line) => files.includes(line.split(":")[0] ?? ""));
  expect(read.length).toBeGreaterThan(5);
  expect(read.filter((line) => !/\bknown\([a-z]+\.stdout\)/i.test(line))).toEqual([]);
});
