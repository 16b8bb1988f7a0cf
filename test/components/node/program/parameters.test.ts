import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { nonceIn, parametersText } from "../../../../components/node/parameters";
import { bundled, COMPONENTS, edit, Machine } from "./machine";
import { BRIDGE, FILES, OWNER, TAKE } from "./node";

const PHASES = readdirSync(join(COMPONENTS, "node", "program", "phases")).map((name) => name.replace(/\.sh$/, ""));
const NONCE = "0123456789abcdef";

let machine: Machine;
beforeAll(async () => {
  // Of every parameter that is well formed, `status` tells what it read.
  const program = bundled((components) => {
    const status = join(components, "node/program/phases/status.sh");
    edit(status, "declare_status() { may_take read-up-to; }", 'declare_status() { takes_list "${!formats[@]}"; }');
    edit(
      status,
      "do_status() {",
      'do_status() { local name; for name in "${!given[@]}"; do answer "$name=$(json_string "$(each "$name")")"; done; return',
    );
  });
  machine = await Machine.make(program);
});
afterAll(() => machine.close());

/** The one line in which the program says what is wrong with its parameters. */
function problems(stderr: string): string[] {
  return (/these parameters are wrong: (.*)$/m.exec(stderr)?.[1] ?? stderr).split("; ").sort();
}

const HOSTILE = [
  "$(touch /tmp/pwned)",
  "`touch /tmp/pwned`",
  "x; touch /tmp/pwned",
  "'; touch /tmp/pwned; '",
  '"; touch /tmp/pwned; "',
  "a[$(touch /tmp/pwned)]",
  "${IFS}",
  "../../etc/passwd",
  "-rf /",
  "\\",
  "*",
];

describe("every phase", () => {
  test.each(PHASES)("%s: names what is missing, and does nothing", async (phase) => {
    for (const action of ["", " --undo", " --update"]) {
      const { code, stdout, stderr } = await machine.start(`${phase}${action}`, `nonce: ${NONCE}\nend\n`);
      if (stderr.includes("these parameters are wrong")) {
        expect([code, stdout]).toEqual([1, `\npodnet ${NONCE} 1\n`]);
        expect(stderr).toMatch(new RegExp(`^podnet ${phase} on machine: these parameters are wrong: `, "m"));
        expect(problems(stderr)).toEqual(
          expect.arrayContaining(
            phase === "way" && action !== " --undo"
              ? ["seconds: is missing"]
              : ["node: is missing", "owner: is missing"],
          ),
        );
      } else {
        expect(["status", "discover", "probe", "way"]).toContain(phase);
      }
    }
    expect(machine.has("/var/lib/podnet")).toBe(false);
  });

  test.each(PHASES.filter((phase) => !["status", "discover", "probe", "way"].includes(phase)))(
    "%s: refuses an unknown one and one of another phase, by name",
    async (phase) => {
      const { code, stderr } = await machine.start(
        phase,
        `nonce: ${NONCE}\nowner: ${OWNER.owner}\nnode: w1\npodcidr: 10.0.0.0/8\npid: probe-a 1\nend\n`,
      );
      expect(code).toBe(1);
      expect(problems(stderr)).toEqual(
        expect.arrayContaining(["podcidr: there is no such parameter", "pid: this phase does not take it"]),
      );
      expect(machine.has("/var/lib/podnet")).toBe(false);
    },
  );
});

describe("hostile values", () => {
  test.each(HOSTILE)("%s is refused wherever it stands, by name, and never run", async (value) => {
    const names = [...Object.keys(BRIDGE), "mtu", "cluster", "mirror", "sum", "image", "endpoint", "token", "member"];
    const text = `nonce: ${NONCE}\n${names.map((name) => `${name}: ${value}\n`).join("")}${value}: x\n${value}\nend\n`;
    const { code, stdout, stderr } = await machine.start("status", text);
    expect([code, stdout]).toEqual([1, `\npodnet ${NONCE} 1\n`]);
    expect(problems(stderr)).toEqual(
      [...names.map((name) => `${name}: is not well formed`), "a line is not `name: value`"].sort(),
    );
    expect(stderr).not.toContain(value);
    expect(machine.has("/tmp/pwned")).toBe(false);
  });

  test("one with a line break never leaves the plan, and is two lines to the program", async () => {
    expect(() => parametersText("take", { ...TAKE, cluster: "demo\nowner: x" })).toThrow(
      'the parameter cluster holds a control character, which a line cannot: "demo\\nowner: x"',
    );
    const text = parametersText("take", TAKE).replace("cluster: demo\n", "cluster: demo\nowner: deadbeef\n\n");
    const { stderr } = await machine.start("take", text);
    expect(problems(stderr)).toEqual(["a line is not `name: value`", "owner: is given more than once"]);
  });

  test("a carriage return and a NUL are no part of a value", async () => {
    for (const end of ["\r", "\0x"]) {
      const text = parametersText("take", TAKE).replace("cluster: demo\n", `cluster: demo_${end}\n`);
      expect(problems((await machine.start("take", text)).stderr)).toEqual(["cluster: is not well formed"]);
    }
    expect(machine.has("/var/lib/podnet")).toBe(false);
  });
});

describe("parameters that do not arrive whole", () => {
  const whole = parametersText("take", TAKE);

  test("have no `end`", async () => {
    const { code, stderr } = await machine.start("take", whole.replace(/end\n$/, ""));
    expect(code).toBe(1);
    expect(problems(stderr)).toEqual(["the last line is not `end`: some are missing"]);
  });

  test("end in the middle of a value", async () => {
    const { stderr } = await machine.start("take", whole.slice(0, whole.indexOf("cluster: ") + 11));
    expect(problems(stderr)).toEqual(["files: is missing", "the last line is not `end`: some are missing"]);
  });

  test("have something after the end", async () => {
    const { stderr } = await machine.start("take", `${whole}cluster: other\n`);
    expect(problems(stderr)).toEqual(["there is a line after the end"]);
  });

  test("have a value twice", async () => {
    const { stderr } = await machine.start("take", whole.replace("node: w1\n", "node: w1\nnode: w1\n"));
    expect(problems(stderr)).toEqual(["node: is given more than once"]);
  });

  test("have no nonce in the first line: then there is nothing to answer with", async () => {
    for (const text of ["", "end\n", "nonce: x\nend\n", "nonce: $(id)\nend\n", `\nnonce: ${NONCE}\nend\n`]) {
      const { code, stdout, stderr } = await machine.start("take", text);
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain("podnet take: the first line of the parameters must be their nonce");
    }
  });

  test.each(["", "../take", "no-such", "take --now", "take undo"])("start with the words `%s`", async (words) => {
    const { code, stdout, stderr } = await machine.start(words, whole);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(
      "usage: podnet PHASE [--undo | --update [ANYTHING]] <parameters; phases: change configure discover enable ",
    );
  });
});

describe("what the plan writes", () => {
  test("is read back as it was given", async () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
    const image = fc.stringMatching(/^[a-z0-9][A-Za-z0-9._/:@-]{0,30}$/);
    const byte = fc.integer({ min: 0, max: 255 });
    const address = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join("."));
    const cidr = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map((parts) => parts.join("/"));
    const hash = fc.stringMatching(/^[0-9a-f]{64}$/);
    const parameters = fc.record({
      node: label,
      mtu: fc.integer({ min: 576, max: 9216 }),
      "pod-cidr": cidr,
      mirror: fc.stringMatching(/^https:\/\/[a-z][A-Za-z0-9._~:@%+/-]{0,30}$/),
      "kubelet-config": fc.json({ maxDepth: 2 }).map((json) => `{"a":${json}}`),
      image: fc.array(
        fc.oneof(
          image,
          fc.tuple(image, hash).map((parts) => parts.join(" ")),
        ),
        { minLength: 1, maxLength: 5 },
      ),
      route: fc.array(
        fc.tuple(cidr, address).map((parts) => parts.join(" via ")),
        { minLength: 1, maxLength: 5 },
      ),
      member: fc.array(
        fc.tuple(label, cidr).map((parts) => parts.join(" ")),
        { minLength: 1, maxLength: 5 },
      ),
    });
    await fc.assert(
      fc.asyncProperty(parameters, async (given) => {
        const lines = await machine.does("status", given);
        const seen = Object.fromEntries(
          lines.map((line) => [
            line.slice(0, line.indexOf("=")),
            JSON.parse(line.slice(line.indexOf("=") + 1)) as string,
          ]),
        );
        const expected = Object.entries(given).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.join("\n") : String(value),
        ]);
        expect(seen).toEqual({ ...Object.fromEntries(expected), nonce: nonceIn(parametersText("status", given)) });
      }),
      { numRuns: 25 },
    );
  });

  test("has equal nonces for equal parameters and phases, and for no others", () => {
    const nonce = (phase: string, parameters: object): string => nonceIn(parametersText(phase, { ...parameters }));
    expect(nonce("take", TAKE)).toBe(nonce("take", { ...TAKE }));
    expect(nonce("take", TAKE)).not.toBe(nonce("install", TAKE));
    expect(nonce("take", TAKE)).not.toBe(nonce("take", { ...TAKE, files: FILES.replace("0", "1") }));
    expect(nonce("take", { ...TAKE, mtu: undefined })).toBe(nonce("take", TAKE));
  });
});
