import fc from "fast-check";
import { expect, test } from "vitest";
import { dnsLabel, image, isLabelKey, isLabelValue, mirrorUrl } from "../../../components/args/schemas";

test("no name, image, label or URL holds what a shell or the node program would read as its own", () => {
  const special = fc.tuple(
    fc.string(),
    fc.constantFrom("'", '"', "`", "$", "\\", "\n", ";", "&", "|", " "),
    fc.string(),
  );
  fc.assert(
    fc.property(special, (parts) => {
      const text = parts.join("");
      expect(dnsLabel.safeParse(text).success).toBe(false);
      expect(image.safeParse(text).success).toBe(false);
      expect(mirrorUrl.safeParse(text).success).toBe(false);
      expect(isLabelKey(text)).toBe(false);
      expect(isLabelValue(text)).toBe(false);
    }),
  );
});
