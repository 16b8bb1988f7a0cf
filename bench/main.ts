import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PROJECT, RESULTS, type Settings } from "./common";
import { benchCheck } from "./check";
import { benchNetworks } from "./networks";
import { benchPlan } from "./plan";
import { benchUp } from "./up";

/** The measurements by name; all of them without one. */
const BENCHES: Readonly<Record<string, (settings: () => Settings) => Promise<void> | void>> = {
  plan: benchPlan,
  check: benchCheck,
  up: (settings) => benchUp(settings()),
  networks: (settings) => benchNetworks(settings()),
};

/** What a bench with a lab takes of the settings that `make up` wrote. */
function written(): Settings {
  const file = join(PROJECT, ".podnet", "written-config.json");
  if (!existsSync(file)) {
    throw new Error('the bench needs the toolchain, the engine and the node image: run "make up" first');
  }
  const { settings } = JSON.parse(readFileSync(file, "utf8")) as { settings: Settings };
  const { dockerHost, nodeImage, mirror, mirrorDir, checksums } = settings;
  return { dockerHost, nodeImage, mirror, mirrorDir, checksums };
}

async function main(): Promise<void> {
  mkdirSync(RESULTS, { recursive: true });
  const names = process.argv.slice(2);
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (names.length === 0 || names.includes(name)) {
      await bench(written);
    }
  }
}

void main();
