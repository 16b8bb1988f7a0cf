import { readFileSync } from "node:fs";
import type { ClonePaths } from "./paths";
import { readWritten, settingIn } from "./written";

/** The program's default for the addresses of the Services. */
export const SERVICE_CIDR = "10.96.0.0/16";

/** What a clone's lab is made with, as far as its make targets have to know it before Pulumi reads it. */
export interface CloneLab {
  /** Network of its nodes; undefined where nobody has chosen one yet. */
  readonly labSubnet: string | undefined;
  /** Addresses of the Services. */
  readonly serviceCidr: string;
}

/** Text of the stack's config file; empty where there is none. */
export function configText({ config }: ClonePaths): string {
  try {
    return readFileSync(config, "utf8");
  } catch {
    return "";
  }
}

/** What a clone's lab is made with: what its stack's config says, else what make wrote last, else what follows from the clone. */
export function cloneLab(paths: ClonePaths): CloneLab {
  const config = configText(paths);
  const { settings: written } = readWritten(paths.writtenConfig);
  return {
    labSubnet: settingIn(config, "labSubnet") ?? written["labSubnet"],
    serviceCidr: settingIn(config, "serviceCidr") ?? SERVICE_CIDR,
  };
}

/** Which of these settings make writes: one that somebody has set is theirs, and is not noted as written by make. */
export function ownSettings(paths: ClonePaths, settings: Readonly<Record<string, string>>): Record<string, string> {
  const config = configText(paths);
  const { settings: written } = readWritten(paths.writtenConfig);
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => {
      const set = settingIn(config, key);
      const own = set === undefined || set === written[key] ? value : written[key];
      return own === undefined ? [] : [[key, own]];
    }),
  );
}
