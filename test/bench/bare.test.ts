import { afterAll, beforeAll, expect, test } from "vitest";
import { barePhases } from "../../bench/bare";
import { bundled, Machine } from "../components/node/program/machine";

// `make bench` runs the peer on a lab, and `make test` does not: here the node program reads what the peer gives it.
const texts = barePhases({ mirror: "http://127.0.0.1:9", checksums: "{}" }, (slot) => `192.0.2.${String(slot + 11)}`);

let machine: Machine;
beforeAll(async () => {
  machine = await Machine.make(bundled());
});
afterAll(() => machine.close());

test.each(Object.entries(texts).filter(([name]) => !name.endsWith(".take")))(
  "the bench's bare peer gives %s the parameters that it takes",
  async (name, text) => {
    // What only the control plane can say, which the script puts there.
    const given = text
      .replace(/^token: .*/m, "token: abcdef.0123456789abcdef")
      .replace(/^ca-cert-hash: .*/m, `ca-cert-hash: sha256:${"0".repeat(64)}`);
    const { code, stderr } = await machine.start(name.split(".")[1] ?? "", given);
    expect(code).toBe(1);
    // Well formed parameters are read first; then a machine that was not taken is refused.
    expect(stderr).not.toContain("these parameters are wrong");
    expect(stderr).toContain("this machine bears no owner's mark");
  },
);
