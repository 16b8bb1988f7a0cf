import {
  labNetworkInput,
  labNodeHostKey,
  labNodeInput,
  makeKeys,
  makeLabNetwork,
  makeLabNode,
  removeLabNetwork,
  removeLabNode,
} from "./engine";

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
 * The commands of a lab: `keys` prints a new key pair, `network` the subnet and `node` the host key of what it makes. `--undo`
 * removes it, `--update` leaves a node as it is.
 */
export async function labCommand(
  what: "keys" | "network" | "node",
  input: string,
  [option]: readonly string[],
): Promise<void> {
  switch (what) {
    case "keys":
      console.log(JSON.stringify(makeKeys()));
      return;
    case "network":
      await network(input, option === "--undo");
      return;
    case "node":
      await node(input, option);
  }
}
