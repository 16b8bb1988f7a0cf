import { readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ClonePaths } from "../host/paths";
import { type Deployment, kubeconfigIn } from "./state";

/** Makes a clone's kubeconfig file what the stack's state says now; without a cluster there is none. */
export function writeKubeconfig(paths: ClonePaths, state: Deployment): void {
  const text = kubeconfigIn(state);
  if (text === undefined) {
    rmSync(paths.kubeconfig, { force: true });
  } else if (text !== present(paths.kubeconfig)) {
    writeFileSync(paths.kubeconfig, text, { mode: 0o600 });
  }
}

function present(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
