import * as pulumi from "@pulumi/pulumi";
import { beforeAll, describe, expect, test } from "vitest";
import { ConnectivityCheck, SelectedService } from "../../../components/index";
import { NETWORK_KINDS } from "../../../components/network/registry";
import { cluster, type Made, settle, stateOf } from "../mocks";

/** What an update did to the resource of a name: it made it anew, or updated it. */
interface Fate {
  readonly name: string;
  readonly what: "replaced" | "updated";
}

let fate: Fate | undefined;
let made: Made[] = [];

beforeAll(async () => {
  await pulumi.runtime.setMocks({
    newResource: ({ type, name, inputs }) => {
      const one = { type, name, inputs: inputs as Record<string, unknown> };
      made.push(one);
      const state = stateOf(one);
      const what = fate?.name === name ? fate.what : undefined;
      if (type.startsWith("kubernetes:")) {
        const metadata = { ...(state["metadata"] as object), uid: what === "replaced" ? "2" : "1" };
        state["metadata"] = { ...metadata, resourceVersion: what === "updated" ? "8" : "7" };
      } else if (type === "command:remote:Command") {
        state["stdout"] = `${String(state["stdout"])}podnet run ${what === "updated" ? "8" : "7"}\n`;
      }
      return { id: `${name}-${what === "replaced" ? "2" : "1"}`, state };
    },
    call: () => ({}),
  });
});

/** Makes a whole program of a network and returns what starts the check again, after what an update did. */
async function triggers(kind: (typeof NETWORK_KINDS)[number], done?: Fate, image = "nginx:1.29"): Promise<string> {
  fate = done;
  made = [];
  const demo = cluster(1);
  const network = kind.make("network", { cluster: demo });
  const web = new SelectedService("web", {
    cluster: demo,
    selector: { app: "web" },
    image,
    ports: [{ port: 80 }],
  });
  new ConnectivityCheck("check", { cluster: demo, network, services: [web] });
  await settle(() => made.length);
  return JSON.stringify(made.find(({ name }) => name === "check-run")?.inputs["triggers"]);
}

describe.each(NETWORK_KINDS.map((kind) => [kind.kind, kind] as const))("with the %s network", (name, kind) => {
  test("the check runs in each update that changed a resource of any kind, and in no other", async () => {
    const before = await triggers(kind);
    expect(before).toMatch(/^\["[0-9a-f]{16}"\]$/);
    expect(await triggers(kind)).toBe(before);
    const all = made.filter(({ type, name: own }) => !type.startsWith("podnet:") && own !== "check-run");
    // Of nodes one stands for all; what is the cluster's or the check's own is the same with every network.
    const changed = all.filter(({ name: own }) => !/cp/.test(own) && (name === "bridge" || own.startsWith("network-")));
    expect(changed.length).toBeGreaterThanOrEqual(name === "bridge" ? 18 : 4);
    const silent: string[] = [];
    for (const [index, { name: own, type }] of changed.entries()) {
      const updates = type.startsWith("kubernetes:") || type === "command:remote:Command";
      const both: Fate["what"][] = ["replaced", "updated"];
      // Of an agent's many objects, one half is replaced and the other updated: each takes a whole plan.
      for (const what of !updates
        ? ["replaced" as const]
        : name === "bridge"
          ? both
          : both.slice(index % 2).slice(0, 1)) {
        if ((await triggers(kind, { name: own, what })) === before) {
          silent.push(`${own} ${what}`);
        }
      }
    }
    expect(silent).toEqual([]);
  }, 120_000);
});

test("what a local command or an object is told runs the check too", async () => {
  const [bridge] = NETWORK_KINDS;
  if (!bridge) {
    throw new Error("there is no network");
  }
  expect(await triggers(bridge, undefined, "nginx:1.30")).not.toBe(await triggers(bridge));
});
