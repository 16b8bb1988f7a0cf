import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { answerLines, nonceIn, parametersText } from "../../../../components/node/parameters";
import { bundled, edit, Machine } from "./machine";
import { BRIDGE, OWNER, TAKE } from "./node";

const program = bundled();
/** The program with phases that may last 2 seconds only. */
const hasty = bundled((components) => edit(join(components, "node/program/phases/take.sh"), "lasts 300", "lasts 2"));
const text = parametersText("take", TAKE);
const nonce = nonceIn(text);

let machine: Machine;
beforeEach(async () => {
  machine = await Machine.make(program);
});
afterEach(() => machine.close());

describe("an answer", () => {
  test("is a framed line that carries the nonce, then the code; all else is on standard error", async () => {
    const { code, stdout, stderr } = await machine.start("take", text);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(
      new RegExp(`^\npodnet ${nonce} \\| \\{"program":"[0-9a-f]{16}"\\}\npodnet ${nonce} run 1\npodnet ${nonce} 0\n$`),
    );
  });

  test("of a phase that fails is its code, with the reason on standard error", async () => {
    await machine.does("take", TAKE);
    const { code, stdout, stderr } = await machine.run("network", { ...BRIDGE, "internal-ip": "198.51.100.1" });
    const own = nonceIn(parametersText("network", { ...BRIDGE, "internal-ip": "198.51.100.1" }));
    expect([code, stdout]).toEqual([1, `\npodnet ${own} 1\n`]);
    expect(stderr.split("\n")[0]).toBe(
      "podnet network on machine: no link has the internal IP 198.51.100.1; it has 192.0.2.11/24. Correct the node's internalIp",
    );
    expect(() => answerLines("w1", "network", own, stdout)).toThrow('node "w1": the phase network ended with code 1');
  });

  test("of a phase that fails inside a substitution says it once", async () => {
    await machine.does("take", TAKE);
    const { code, stderr } = await machine.run("network", { ...BRIDGE, "internal-ip": "198.51.100.1" });
    expect([code, stderr]).toEqual([
      1,
      "podnet network on machine: no link has the internal IP 198.51.100.1; it has 192.0.2.11/24. Correct the node's internalIp\n",
    ]);
  });

  test("of a command that fails names it by its text, never by its values", async () => {
    const broken = bundled((components) =>
      edit(
        join(components, "node/program/phases/take.sh"),
        "do_take() {",
        'do_take() {\n    cat "/no-such/$(value cluster)"',
      ),
    );
    machine.upload(broken);
    const { code, stderr } = await machine.run("take", { ...TAKE, cluster: "hunter2" });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^exit code 1 on machine, at: cat "\/no-such\/\$\(value cluster\)"$/m);
  });
});

describe("around an answer", () => {
  const framed = `podnet ${nonce} | {"a":1}\npodnet ${nonce} 0\n`;

  test("whatever a login shell, a greeting or sudo prints is ignored", () => {
    const noise =
      "Welcome to w1!\n\u001b[1mLast login\u001b[0m\npodnet deadbeefdeadbeef 0\npodnet deadbeefdeadbeef | no\n";
    expect(answerLines("w1", "take", nonce, `${noise}${framed}logout\n`)).toEqual(['{"a":1}']);
  });

  test("nothing counts without the code that ends it", () => {
    const look = "look at the login shell of its SSH user, then run the update again with --replace of this resource";
    expect(() => answerLines("w1", "take", nonce, "")).toThrow(
      `node "w1": the phase take gave no answer, so nothing shows that it ran (it printed nothing); ${look}`,
    );
    expect(() => answerLines("w1", "take", nonce, "This account is not available.\n")).toThrow(
      `node "w1": the phase take gave no answer, so nothing shows that it ran (it printed "This account is not available."); ${look}`,
    );
    for (const part of [
      `podnet ${nonce} | {"a":1}\n`,
      "podnet deadbeefdeadbeef 0\n",
      ` podnet ${nonce} 0\n`,
      `podnet ${nonce} 0x\n`,
    ]) {
      expect(() => answerLines("w1", "take", nonce, part)).toThrow("gave no answer");
    }
  });

  test("the code of the program is what counts, whatever the shell makes of it", () => {
    expect(() => answerLines("w1", "take", nonce, `podnet ${nonce} 137\n`)).toThrow(
      'node "w1": the phase take ended with code 137',
    );
  });
});

describe("time", () => {
  test("is bounded: a phase that hangs is ended with all that it started, and says so", async () => {
    machine.upload(hasty);
    machine.answers("systemctl", "sleep 300");
    const { code, stdout, stderr } = await machine.start("take", text);
    expect([code, stdout]).toEqual([124, `\npodnet ${nonce} 124\n`]);
    expect(stderr).toContain("podnet take on machine did not end within 2 s and was stopped");
    expect(await machine.sh("ps -eo args= | grep -c '[s]leep 300' || true")).toBe("0");
  });

  test("spent waiting for another run counts, and the reason is given", async () => {
    machine.upload(hasty);
    await machine.sh(
      "mkdir -p /run/podnet; (exec flock /run/podnet/lock sleep 300) >/dev/null 2>&1 & until ! flock -n /run/podnet/lock true; do :; done",
    );
    const { code, stdout, stderr } = await machine.start("take", text);
    expect([code, stdout]).toEqual([1, `\npodnet ${nonce} 1\n`]);
    expect(stderr).toMatch(/^podnet take on machine: another run of podnet holds this node for more than [0-9]+ s$/m);
  });
});

describe("two runs at once", () => {
  test("follow each other, and a question does not wait for them", async () => {
    machine.answers("systemctl", "echo begin >>/tmp/order; sleep 0.3; echo end >>/tmp/order; exit 3");
    await machine.sh("systemctl is-active x || true; rm /tmp/order");
    const [first, second, status] = await Promise.all([
      machine.start("take", text),
      machine.start("take", text),
      machine.run("status", {}),
    ]);
    expect([first.code, second.code, status.code]).toEqual([0, 0, 0]);
    const order = machine.read("/tmp/order").split("\n").slice(0, -1);
    // One of them looked at the three services that may collide; the other found the machine taken.
    expect(order).toEqual(["begin", "end", "begin", "end", "begin", "end"]);
    expect(machine.read("/var/lib/podnet/work/take")).toBe(`${nonce} 2\n`);
  });
});

describe("an owner", () => {
  test("is the only one who may do anything; another is refused, and its undo does nothing", async () => {
    await machine.does("take", TAKE);
    await machine.does("network", BRIDGE);
    const before = await machine.snapshot();
    for (const other of [{ owner: "99999999-2222-3333-4444-555555555555" }, { node: "w2" }]) {
      for (const [phase, parameters] of [
        ["take", TAKE],
        ["network", BRIDGE],
      ] as const) {
        const refused = await machine.run(phase, { ...parameters, ...other });
        expect(refused.code).toBe(1);
        expect(refused.stderr).toBe(
          `podnet ${phase} on machine: this machine belongs to node w1 of the podnet cluster demo (owner ${OWNER.owner}); destroy that one first, or take this machine out of it; if it is this program's own cluster, whose state was lost, give the Cluster its owner as the argument owner\n`,
        );
        const undone = await machine.run(`${phase} --undo`, { ...parameters, ...other });
        expect(undone.code).toBe(0);
        expect(undone.stderr).toBe(
          `podnet ${phase} --undo on machine: the machine belongs to node w1 of the podnet cluster demo (owner ${OWNER.owner}) now; left as it is\n`,
        );
      }
    }
    expect(await machine.snapshot()).toEqual(before);
  });

  test("has to take the machine first; undoing where nobody did is nothing", async () => {
    const before = await machine.snapshot();
    const { code, stderr } = await machine.run("network", BRIDGE);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "podnet network on machine: this machine bears no owner's mark: it was installed anew, or somebody removed /var/lib/podnet. Declare its node with gone: true and run the update, then take the node out and declare it again; where it is the control plane, make the cluster anew with pulumi destroy and pulumi up\n",
    );
    await machine.does("network --undo", BRIDGE);
    const program = await machine.sh("readlink /usr/local/lib/podnet/current");
    expect(
      (await machine.snapshot()).filter((line) => !line.includes(program) && !line.includes("/usr/local/lib")),
    ).toEqual(before.filter((line) => !line.includes("/usr/local/lib")));
  });
});

describe("work", () => {
  const conflist = "/etc/cni/net.d/10-podnet.conflist";
  const newer = { ...BRIDGE, mtu: 1400 };
  const stands = () => machine.has(conflist);

  beforeEach(() => machine.does("take", TAKE));

  test("applied twice and undone once stands; undone twice it is gone", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network", BRIDGE);
    const { code, stderr } = await machine.run("network --undo", BRIDGE);
    expect([code, stderr]).toEqual([
      0,
      "podnet network --undo on machine: the same work was applied anew since; left as it is\n",
    ]);
    expect(stands()).toBe(true);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(false);
  });

  test("that nobody was told of does not count: Pulumi was killed, and asks for it once more", async () => {
    machine.write("/tmp/parameters", parametersText("network", BRIDGE));
    // The SSH server closes its end when the client is gone.
    const deaf = (words: string) =>
      machine.sh(`set +o pipefail; bash --norc -p .podnet/program/start ${words} </tmp/parameters | true`);
    await deaf("network");
    expect(stands()).toBe(true);
    await deaf("network");
    await machine.does("network", BRIDGE);
    await deaf("network --update");
    expect(machine.read("/var/lib/podnet/work/network")).toMatch(/^[0-9a-f]{16} 1\n$/);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(false);
  });

  test("of a take that nobody was told of is undone by one undo", async () => {
    machine.write("/tmp/parameters", text);
    await machine.does("take --undo", TAKE);
    machine.upload(program);
    await machine.sh("set +o pipefail; bash --norc -p .podnet/program/start take </tmp/parameters | true");
    await machine.does("take", TAKE);
    await machine.does("take --undo", TAKE);
    expect(machine.has("/var/lib/podnet") || machine.has("/usr/local/lib/podnet")).toBe(false);
  });

  test("updated in place counts once", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network --update", newer);
    await machine.does("network --update", newer);
    await machine.does("network --undo", newer);
    expect(stands()).toBe(false);
  });

  test("that newer work replaced is not undone, and says so", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network", newer);
    const before = await machine.snapshot();
    const { code, stderr } = await machine.run("network --undo", BRIDGE);
    const old = nonceIn(parametersText("network", BRIDGE));
    expect([code, stderr]).toEqual([
      0,
      `podnet network --undo on machine: newer work stands in the place of ${old}; left as it is\n`,
    ]);
    expect(await machine.snapshot()).toEqual(before);
    expect(machine.read(conflist)).toContain('"mtu": 1400');
  });

  test("that replaced other work is gone when it is undone, once", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network", newer);
    await machine.does("network --undo", BRIDGE);
    await machine.does("network --undo", newer);
    expect(stands()).toBe(false);
  });

  test("replaced the other way round, undone first, stands too", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(false);
    await machine.does("network", newer);
    expect(stands()).toBe(true);
  });

  test("that an update of which Pulumi has no record took the place of stands after it is put back by a replacement", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network --update", newer);
    await machine.does("network", BRIDGE);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(true);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(false);
  });

  test("that went away and came back counts anew", async () => {
    await machine.does("network", BRIDGE);
    await machine.does("network", newer);
    await machine.does("network", BRIDGE);
    await machine.does("network --undo", newer);
    expect(stands()).toBe(true);
    await machine.does("network --undo", BRIDGE);
    expect(stands()).toBe(false);
  });
});
