import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { packed, unpacked } from "../../../components/args/packed";

test("a text that fits is printed as it is", () => {
  expect(packed('{"a":1}')).toBe('{"a":1}');
  expect(unpacked('{"a":1}')).toBe('{"a":1}');
});

test("what is known of a thousand machines is handed back to a command, which Linux would refuse as it is", () => {
  const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
  const machines = Array.from({ length: 1000 }, (_, i) => {
    const name = `node-${String(i)}.example.com`;
    const machine = {
      host: name,
      port: 22,
      type: "ssh-ed25519",
      key: hash(name).slice(0, 16),
      machineId: hash(`m${name}`).slice(0, 32),
    };
    return { name, ...machine, hostname: name, passing: false, controlPlane: false };
  });
  const text = JSON.stringify({ network: "bridge", machines });
  const echo = (output: string): string =>
    execFileSync("printenv", ["OUTPUT"], {
      env: { PATH: process.env["PATH"], OUTPUT: output },
      encoding: "utf8",
    }).trimEnd();
  expect(() => echo(text)).toThrow("E2BIG");
  expect(unpacked(echo(packed(text)))).toBe(text);
});
