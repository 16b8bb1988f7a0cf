import { archiveOf } from "./releases";

/**
 * Images as the node program is given them: `image sha256` where the mirror's checksums know the image's archive, else `image`
 * alone, which is pulled from its registry.
 */
export function imageLines(
  images: readonly string[],
  checksums: Readonly<Record<string, string>> | undefined,
): string[] {
  return images.map((image) => {
    const sum = checksums?.[archiveOf(image)];
    return sum === undefined ? image : `${image} ${sum}`;
  });
}
