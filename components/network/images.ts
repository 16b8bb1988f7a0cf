import { z } from "zod";
import { dialTable } from "../machine/dialTable";
import { failuresOnEach } from "../machine/each";
import { Shell } from "../machine/shell";
import { askNode } from "../node/ask";

/** What the command `images` reads from standard input, as JSON. Holds secrets. */
export const imagesInput = z.strictObject({
  owner: z.string(),
  mirror: z.string().optional(),
  /** Images, each with the SHA-256 of its archive in the mirror where that is known: `image` or `image sha256`. */
  images: z.array(z.string()),
  nodes: dialTable,
});

/** Input of the command `images`, as it is written. */
export type ImagesRequest = z.input<typeof imagesInput>;
/** Input of the command `images`, read. */
export type ImagesInput = z.output<typeof imagesInput>;

/** Seconds that one node may take to get its images. */
const SECONDS = 900;

/** Gives every node these images, all nodes at once. Throws one error with every node that could not get them. */
export async function giveImages({ owner, mirror, images, nodes }: ImagesInput): Promise<void> {
  const failed = await failuresOnEach(nodes, (node, ssh) =>
    Shell.use(node, ssh, (shell) => askNode(shell, "images", { node, owner, mirror, image: images }, SECONDS)),
  );
  if (failed.length > 0) {
    throw new Error(`not every node has the network's images:\n  ${failed.join("\n  ")}`);
  }
}

/** The command `images`: reads its input as JSON. */
export async function imagesCommand(text: string): Promise<void> {
  const input = imagesInput.parse(JSON.parse(text));
  await giveImages(input);
  console.log(JSON.stringify({ images: input.images }));
}
