import { existsSync, writeFileSync } from "node:fs";
import { LAB_LABEL } from "../../components/lab/engine";
import { lines, must } from "../host/exec";
import type { ClonePaths } from "../host/paths";
import { duration } from "../host/progress";
import { type Context, prepare } from "./prepare";

/** Starts lab nodes that a restart of the machine or the engine has stopped. */
async function startNodes({ identity, progress }: Context, dockerHost: string): Promise<void> {
  const env = { ...process.env, DOCKER_HOST: dockerHost };
  const list = ["ps", "-aq", "--filter", `label=${LAB_LABEL}=${identity.name}`, "--filter", "status=exited"];
  const stopped = lines(await must("docker", list, { env }));
  if (stopped.length > 0) {
    await progress.step(`starting ${String(stopped.length)} stopped nodes`, 5, () =>
      must("docker", ["start", ...stopped], { env }),
    );
  }
}

/** `make up`: sets everything up and brings the stack to what it declares. */
export async function up(context: Context): Promise<number> {
  const started = Date.now();
  const { paths, progress } = context;
  const { stack, dockerHost } = await prepare(context);
  await startNodes(context, dockerHost);
  const { succeeded, changed } = await stack.up();
  if (!succeeded) {
    progress.say(`\n"make up" again goes on from here; "make down" takes everything down.`);
    return 1;
  }
  if (changed || !existsSync(paths.kubeconfig)) {
    const outputs = await stack.outputs();
    writeFileSync(paths.kubeconfig, String(outputs["kubeconfig"]), { mode: 0o600 });
  }
  progress.say(summary(paths, changed, (Date.now() - started) / 1000));
  return 0;
}

/** What `make up` says at its end. */
export function summary(paths: ClonePaths, changed: boolean, seconds: number): string {
  return [
    "",
    changed
      ? `The cluster is up and its network is proven (${duration(seconds)}).`
      : `Nothing to do: the cluster is up as declared (${duration(seconds)}).`,
    `  kubeconfig   ${paths.kubeconfig}`,
    `  look around  eval "$(make -s env)"; kubectl get nodes,pods -A -o wide`,
    `  prove again  make verify`,
    `  take down    make down`,
  ].join("\n");
}
