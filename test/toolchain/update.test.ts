import { PassThrough } from "node:stream";
import type { EngineEvent, OpType } from "@pulumi/pulumi/automation";
import { describe, expect, test } from "vitest";
import { LiveLines } from "../../toolchain/host/live";
import { liveLines, problemText, Update } from "../../toolchain/make/update";

const urnOf = (type: string, name: string): string => `urn:pulumi:s::p::podnet:index:Lab$${type}::${name}`;
const REMOTE = "command:remote:Command";

function step(
  kind: "resourcePreEvent" | "resOutputsEvent" | "resOpFailedEvent",
  op: string,
  type: string,
  name: string,
) {
  const urn = urnOf(type, name);
  const custom = !type.startsWith("podnet:");
  const state = { type, urn, custom, id: "", parent: "", inputs: {}, outputs: {}, provider: "" };
  const metadata = { op: op as OpType, urn, type, new: state, provider: "" };
  return { sequence: 0, timestamp: 0, [kind]: { metadata, status: 1, steps: 1 } } as EngineEvent;
}

function said(message: string, fields: { severity?: string; urn?: string; ephemeral?: boolean } = {}): EngineEvent {
  const diagnosticEvent = { message, color: "never", severity: "info", ...fields };
  return { sequence: 0, timestamp: 0, diagnosticEvent } as EngineEvent;
}

describe("an update", () => {
  test("counts what is done of all that the program makes, before the engine comes to it", () => {
    const update = new Update();
    for (const name of ["one", "two", "three"]) {
      const message = `Registering resource: t=${REMOTE}, name=${name}, custom=true, remote=false\n`;
      expect(update.take(said(message, { severity: "debug" }))).toEqual([]);
    }
    update.take(step("resourcePreEvent", "create", "pulumi:providers:command", "default_1_2_1"));
    update.take(step("resOutputsEvent", "create", "pulumi:providers:command", "default_1_2_1"));
    expect([update.done, update.total]).toEqual([0, 3]);
    update.take(step("resourcePreEvent", "create", REMOTE, "one"), 1000);
    expect(update.take(step("resOutputsEvent", "create", REMOTE, "one"), 3500)).toEqual(["[1/3] one created: 2.5 s"]);
    update.take(step("resourcePreEvent", "same", REMOTE, "two"));
    expect(update.take(step("resOutputsEvent", "same", REMOTE, "two"))).toEqual([]);
    expect([update.done, update.total]).toEqual([2, 3]);
    expect(update.finished).toEqual([{ name: "one", op: "create", seconds: 2.5 }]);
    expect(new Update(7).total).toBe(7);
  });

  test("shows what runs, for how long and what it last said, components left out", () => {
    const update = new Update();
    update.take(step("resourcePreEvent", "create", "podnet:index:Lab", "lab"), 0);
    update.take(step("resourcePreEvent", "update", REMOTE, "cp-init"), 0);
    update.take(step("resourcePreEvent", "delete", REMOTE, "w9"), 4000);
    const urn = urnOf(REMOTE, "cp-init");
    expect(update.take(said("waiting for etcd\n", { urn, ephemeral: true }))).toEqual([]);
    expect(liveLines(update, 0, 12_000, 8)).toEqual([
      "[0/3] 12 s",
      "  updating cp-init: 12 s  waiting for etcd",
      "  deleting w9: 8.0 s",
    ]);
    expect(liveLines(update, 0, 12_000, 1).slice(1)).toEqual([
      "  updating cp-init: 12 s  waiting for etcd",
      "  and 1 more",
    ]);
  });

  test("keeps the lines of a command's report and of the program, and each warning once", () => {
    const update = new Update();
    update.take(step("resourcePreEvent", "create", REMOTE, "check"));
    const urn = urnOf(REMOTE, "check");
    expect(update.take(said("  ✓ pod-to-pod  60/60\n", { urn, ephemeral: true }))).toEqual(["  ✓ pod-to-pod  60/60"]);
    expect(update.take(said("said by the program\n"))).toEqual(["said by the program"]);
    const warning = said("old plugin\n", { severity: "warning", urn });
    expect([update.take(warning), update.take(warning)]).toEqual([["warning: check: old plugin"], []]);
  });

  test("shows errors whole at the end, with their resource's name, and not that the update failed", () => {
    const update = new Update();
    update.take(step("resourcePreEvent", "create", REMOTE, "cp::init"), 0);
    const urn = urnOf(REMOTE, "cp::init");
    update.take(said('<{%fg 1%}>exit status 3: running "x":\n  out\nerr<{%reset%}>\n', { severity: "error", urn }));
    expect(update.take(step("resOpFailedEvent", "create", REMOTE, "cp::init"), 1500)).toEqual([
      "[1/1] cp::init FAILED: 1.5 s",
    ]);
    update.take(said("update failed\n", { severity: "error" }));
    expect(problemText(update.problems)).toBe(
      'cp::init (command:remote:Command):\n  exit status 3: running "x":\n    out\n  err',
    );
    expect(problemText([{ resource: "", message: "update failed" }])).toBe("  update failed");
  });

  test("knows whether anything changed", () => {
    const ended = (changes: object): boolean => {
      const update = new Update();
      update.take({ sequence: 0, timestamp: 0, summaryEvent: { resourceChanges: changes } } as EngineEvent);
      return update.changed;
    };
    expect([ended({ same: 49 }), ended({ same: 48, update: 1 }), ended({ same: 4, delete: 0 })]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe("live lines", () => {
  function on(isTTY: boolean): { live: LiveLines; written: () => string } {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 20 });
    return {
      live: new LiveLines(stream as unknown as NodeJS.WriteStream),
      written: () => String((stream.read() as Buffer | null) ?? ""),
    };
  }

  test("are rewritten on a terminal, cut to its width, below the lines that stay", () => {
    const { live, written } = on(true);
    live.show(["[1/3] 2.0 s", "  creating something-long-named"]);
    expect(written()).toBe("[1/3] 2.0 s\n  creating somethin\n");
    live.keep(["one created"]);
    live.show(["[2/3] 3.0 s"]);
    live.clear();
    expect(written()).toBe("\u001b[2A\u001b[Jone created\n[2/3] 3.0 s\n\u001b[1A\u001b[J");
  });

  test("elsewhere are whole lines, without marks, and few", () => {
    const { live, written } = on(false);
    live.show(["[1/3] 2.0 s"]);
    live.keep(["one created: a line longer than that"]);
    live.clear();
    expect(written()).toBe("one created: a line longer than that\n");
  });
});
