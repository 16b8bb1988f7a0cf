import { clearNodes } from "../../components/lab/host";
import { containersOf, docker } from "../../components/lab/docker";
import { containerOf } from "../../components/lab/inputs";
import { faultLines, lookAtLab, mendLab } from "../../components/lab/look";
import type { Progress } from "../host/progress";
import { removeGoneNodes } from "./goneNodes";
import type { Stack } from "./stack";
import { carryControlPlane, containersIn, type Deployment, kubeconfigIn, labIn, settled, without } from "./state";

/**
 * Looks at the lab that a stack has made, and mends what is not as it was: starts what is stopped, and lets the next update make
 * anew what is gone. Says what it found, and calls `begin` before it changes anything. Returns whether anything was mended.
 */
export async function mend(stack: Stack, state: Deployment, progress: Progress, begin: () => void): Promise<boolean> {
  const lab = labIn(state);
  const faults = await lookAtLab(lab);
  const lines = faultLines(lab, faults);
  if (lines.length === 0) {
    return false;
  }
  progress.say(lines.join("\n"));
  begin();
  const gone = faults.nodes.filter(({ container }) => container === undefined).map(({ node }) => node);
  const urns = containersIn(state, gone);
  const whole = carryControlPlane(state, urns);
  if (whole) {
    // What the others hold is of a cluster that is no more.
    await Promise.all(lab.nodes.slice(0, 1).map((node) => clearNodes(node)));
  }
  await progress.step("mending the lab", 5, () => mendLab(lab, whole ? { ...faults, nodes: [] } : faults));
  if (urns.length > 0) {
    progress.say(
      whole
        ? "The control plane and the data of its cluster are gone with it: the lab's nodes are made anew, and the cluster on them."
        : `Made anew: ${gone.map(({ nodeName }) => nodeName).join(", ")}.`,
    );
    const kubeconfig = kubeconfigIn(state);
    if (!whole && kubeconfig !== undefined) {
      const names = gone.map(({ nodeName }) => nodeName);
      await removeGoneNodes(kubeconfig, names, (line) => progress.say(line));
    }
    const lost = whole ? containersIn(state, lab.nodes) : urns;
    await stack.editState((now) => without(now, lost));
  }
  return true;
}

/**
 * Clears what killed updates left, once an update has ended well: containers that no resource has, and operations that the state
 * still calls pending. All that is declared is there by then, whoever began it.
 */
export async function settle(stack: Stack, progress: Progress): Promise<void> {
  const state = await stack.state();
  const lab = labIn(state);
  const [known] = lab.nodes;
  if (known !== undefined) {
    const names = lab.nodes.map(containerOf);
    const left = (await containersOf(known.dockerHost, known)).filter(({ name }) => !names.includes(name));
    if (left.length > 0) {
      progress.say(`Removed what a killed update left: ${left.map(({ name }) => name).join(", ")}.`);
      await docker(known.dockerHost, ["rm", "-f", "-v", ...left.map(({ id }) => id)]);
    }
  }
  const pending = state.pending_operations ?? [];
  if (pending.length > 0) {
    await stack.editState(settled);
  }
}
