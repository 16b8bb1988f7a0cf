import { labNodeHostKey, makeLabNode, removeLabNode } from "./engine";
import { clearHost, prepareHost } from "./host";
import { labHostInput, labNetworkInput, labNodeInput } from "./inputs";
import { makeKeys } from "./keys";
import { makeLabNetwork, removeLabNetwork } from "./network";

async function host(text: string, undo: boolean): Promise<void> {
  const input = labHostInput.parse(JSON.parse(text));
  if (undo) {
    await clearHost(input, (process.env["PULUMI_COMMAND_STDOUT"] ?? "").trim());
  } else {
    console.log(await prepareHost(input));
  }
}

async function network(text: string, undo: boolean): Promise<void> {
  const input = labNetworkInput.parse(JSON.parse(text));
  if (undo) {
    await removeLabNetwork(input);
  } else {
    console.log(await makeLabNetwork(input));
  }
}

async function node(text: string, option: string | undefined): Promise<void> {
  const input = labNodeInput.parse(JSON.parse(text));
  if (option === "--undo") {
    await removeLabNode(input);
  } else {
    console.log(option === "--update" ? await labNodeHostKey(input) : await makeLabNode(input));
  }
}

/**
 * The commands of a lab: `keys` prints a new key pair, `host` makes room on the host and prints a name for that, `network` prints the subnet and `node` the
 * host key of what it makes. `--undo` removes it, `--update` leaves a node as it is.
 */
export async function labCommand(
  what: "keys" | "host" | "network" | "node",
  input: string,
  [option]: readonly string[],
): Promise<void> {
  switch (what) {
    case "keys":
      console.log(JSON.stringify(makeKeys()));
      return;
    case "host":
      await host(input, option === "--undo");
      return;
    case "network":
      await network(input, option === "--undo");
      return;
    case "node":
      await node(input, option);
  }
}
