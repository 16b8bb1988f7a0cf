import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labIdentity, nodeAddress } from "../../components/lab/identity";
import { configure, createStack, kubectl, LAB, must, mustPulumi, pulumi, run, sound, STACK, state, unset } from "./lab";

// Each resource of a stack meets each fate that Pulumi's commands have for it, and the stack is sound afterwards.
const at = ["--yes", "--skip-preview"];
const NODES = '{"cp":{"slot":0,"role":"control-plane"},"w1":{"slot":1}}';

beforeAll(() => {
  run("pulumi", ["destroy", ...at, "--stack", STACK]);
  run("pulumi", ["stack", "rm", "--yes", "--force", "--stack", STACK]);
  createStack();
  configure({ nodes: NODES });
  mustPulumi("up", ...at);
});

afterAll(() => {
  mustPulumi("destroy", ...at);
  mustPulumi("stack", "rm", "--yes");
});

/** URNs of the stack's resources that are no components, by name. */
function urns(): Map<string, string> {
  const custom = (state().resources ?? []).filter(({ type }) => !/^(podnet:|pulumi:pulumi:)/.test(type));
  return new Map(custom.map(({ urn }) => [urn.split("::").at(-1) ?? "", urn]));
}

const urnOf = (name: string): string => urns().get(name) ?? `no resource ${name}`;

/** Updates, which has to be refused with these words; returns all that was said. */
function refused(words: RegExp, ...more: string[]): string {
  const { code, out, err } = pulumi("up", ...more, ...at);
  expect(code).not.toBe(0);
  expect(`${out}${err}`).toMatch(words);
  return `${out}${err}`;
}

const lose = (name: string): string =>
  mustPulumi("state", "delete", urnOf(name), "--target-dependents", "--force", "--yes");

const RESOURCES = [
  ...["lab-host", "lab-network", "lab-w1-container", "lab-cp-container"],
  ...["cluster-w1-program", "cluster-w1-take", "cluster-w1-install", "cluster-w1-join"],
  ...["cluster-cp-program", "cluster-cp-take", "cluster-cp-install", "cluster-cp-init"],
  ...["cluster-members", "cluster-choice", "cluster-configure", "cluster-register", "cluster-kubernetes"],
  ...["network-preflight", "network-choice", "network-change", "network-on-cp", "network-on-w1", "network-enable"],
  ...["web-service", "web-workload", "web-endpoints"],
  ...["connectivity-namespace", "connectivity-probe", "connectivity-hairpin"],
  ...["connectivity-probe-a", "connectivity-probe-b", "connectivity-probe-host", "connectivity-run"],
];
/** Those whose loss another program would not survive: refused, with a way on. */
const REFUSED = ["lab-keys", "cluster-owner"];
const only = process.env["FATES"]?.split(",");
const chosen = (name: string): boolean => only?.includes(name) ?? true;

test("every resource has its row", () => {
  const rows = [...RESOURCES, ...REFUSED, "default_1_2_1"].sort();
  expect([...urns().keys()].sort()).toEqual(rows);
});

describe.each(RESOURCES.filter(chosen))("%s", (name) => {
  test("replaced, is there in its newer form", () => {
    mustPulumi("up", "--replace", urnOf(name), ...at);
    sound();
  });

  test("lost from the state with all that depends on it, is taken over or made again", () => {
    lose(name);
    mustPulumi("up", ...at);
    sound();
  });

  test("targeted and refreshed, stays as it is", () => {
    mustPulumi("up", "--target", urnOf(name), ...at);
    mustPulumi("refresh", "--target", urnOf(name), ...at);
    sound();
  });
});

describe.runIf(chosen("lab"))("an argument of the lab", () => {
  const uids = (): string => kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.uid}");
  const traces = (name: string): string =>
    must("docker", ["ps", "-a", "--filter", `label=podnet.lab=${name}`, "--format", "{{.Names}}"]) +
    must("docker", ["network", "ls", "--filter", `label=podnet.lab=${name}`, "--format", "{{.Name}}"]);

  test("that would move the control plane is refused, and nothing is touched", () => {
    const before = uids();
    configure({ nodes: '{"cp":{"slot":7,"role":"control-plane"},"w1":{"slot":1}}' });
    refused(/lab node cp: the control plane has the address \S+, and slot 7 would give it \S+: podnet does not move/);
    expect(uids()).toBe(before);
    configure({ nodes: NODES });
    mustPulumi("up", ...at);
    sound();
    expect(uids()).toBe(before);
  });

  test("labName: another lab is made whole, and nothing is left of the first", () => {
    configure({ labName: `${LAB}-x` });
    mustPulumi("up", ...at);
    sound();
    expect(traces(LAB)).toBe("");
    configure({ labName: LAB });
    mustPulumi("up", ...at);
    sound();
    expect(traces(`${LAB}-x`)).toBe("");
  });

  test("labSubnet: the nodes are made anew in it", () => {
    const [subnet = ""] = labIdentity("another subnet").subnets;
    configure({ labSubnet: subnet });
    mustPulumi("up", ...at);
    sound();
    expect(
      kubectl("get", "nodes", "-o", 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'),
    ).toBe([0, 1].map((slot) => nodeAddress(subnet, slot)).join(" "));
  });
});

describe.runIf(chosen("lab-keys"))("lab-keys", () => {
  /** Does what the refusal says, and updates. */
  function makeAnew(said: string): void {
    const [, removal = ""] =
      /pulumi destroy in its own stack, or (docker rm .*; docker network rm \S+)$/m.exec(said) ?? [];
    removal.split("; ").forEach((line) => must("docker", line.split(" ").slice(1)));
    mustPulumi("up", ...at);
    sound();
  }

  test("replaced, locks podnet out of its nodes: refused, and the lab is made anew as the refusal says", () => {
    makeAnew(refused(/belongs to lab \S+ of another stack/, "--replace", urnOf("lab-keys")));
  });

  test("lost from the state, too", () => {
    lose("lab-keys");
    makeAnew(refused(/belongs to lab \S+ of another stack/));
  });
});

describe.runIf(chosen("cluster-owner"))("cluster-owner", () => {
  const WORDS = /its owner is|owner ([0-9a-f]{8}-[0-9a-f-]{27})/;
  /** Gives the cluster the owner that the refusal names, as it says, and updates. */
  function takeOver(said: string): void {
    const [owner = ""] = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/.exec(/\(owner .*\)/.exec(said)?.[0] ?? "") ?? [];
    configure({ owner });
    mustPulumi("up", ...at);
    sound();
  }

  test("replaced, is another owner's identity: refused, and goes on with the one that the refusal names", () => {
    takeOver(refused(WORDS, "--replace", urnOf("cluster-owner")));
    unset("owner");
  });

  test("lost from the state, too", () => {
    const said = refused(WORDS);
    lose("cluster-owner");
    refused(WORDS);
    takeOver(said);
  });
});
