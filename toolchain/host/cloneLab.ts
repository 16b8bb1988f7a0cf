import { readFileSync } from "node:fs";
import { bridgeOf, type LabIdentity } from "../../components/lab/identity";
import type { ClonePaths } from "./paths";
import { readWritten, settingIn } from "./written";

/** The program's default for the addresses of the Services. */
export const SERVICE_CIDR = "10.96.0.0/16";

/** What a clone's lab is made with, as far as its make targets have to know it before Pulumi reads it. */
export interface CloneLab {
  /** Its name; undefined where it is the clone's. */
  readonly labName: string | undefined;
  /** Network of its nodes; undefined where nobody has chosen one yet. */
  readonly labSubnet: string | undefined;
  /** Its container engine; undefined where nobody has chosen one yet. */
  readonly dockerHost: string | undefined;
  /** Addresses of the pods; undefined where they are the program's default, which no lab's network lies in. */
  readonly podCidr: string | undefined;
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

/** What a clone's lab is made with: what its stack's config says, else what make wrote last. */
export function cloneLab(paths: ClonePaths): CloneLab {
  const config = configText(paths);
  const { settings: written } = readWritten(paths.writtenConfig);
  const chosen = (key: string): string | undefined => settingIn(config, key) ?? written[key];
  return {
    labName: chosen("labName"),
    labSubnet: chosen("labSubnet"),
    dockerHost: chosen("dockerHost"),
    podCidr: settingIn(config, "podCidr"),
    serviceCidr: settingIn(config, "serviceCidr") ?? SERVICE_CIDR,
  };
}

/** Whether somebody has set a setting themselves, as something else than make wrote. */
export function isTheirs(paths: ClonePaths, key: string): boolean {
  const set = settingIn(configText(paths), key);
  return set !== undefined && set !== readWritten(paths.writtenConfig).settings[key];
}

/** Name and bridge of a clone's lab, which are the clone's own where nobody has named it otherwise. */
export function labOf(identity: LabIdentity, paths: ClonePaths): LabIdentity {
  const { labName = identity.name } = cloneLab(paths);
  return labName === identity.name ? identity : { ...identity, name: labName, bridge: bridgeOf(labName) };
}

/** Which of these settings make writes: one that somebody has set is theirs, and is not noted as written by make. */
export function ownSettings(paths: ClonePaths, settings: Readonly<Record<string, string>>): Record<string, string> {
  const { settings: written } = readWritten(paths.writtenConfig);
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => {
      const own = isTheirs(paths, key) ? written[key] : value;
      return own === undefined ? [] : [[key, own]];
    }),
  );
}
