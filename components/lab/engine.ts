import { readFileSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { messageOf } from "../args/validate";
import { type Look, waitUntil } from "../args/wait";
import { assertItsEngine, containerNamed, docker, engineName, hasImage, labelWords } from "./docker";
import { ADDRESS_LABEL, containerOf, isOf, type LabNodeInput, ownerText } from "./inputs";
import { placeKeys } from "./keys";

export { LAB_LABEL } from "./inputs";
export { makeLabNetwork } from "./network";

/** Seconds that a node may take from the start of its container to its sshd's answer. */
const BOOT_SECONDS = 60;

/**
 * Options that let a container be a machine. Without CAP_SYS_RESOURCE (number 24) an engine cannot make privileged containers,
 * and gets what systemd, containerd and the kubelet need piece by piece.
 */
function rights(): string[] {
  const bounding = /^CapBnd:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  if (((BigInt(`0x${bounding}`) >> 24n) & 1n) === 1n) {
    return ["--privileged"];
  }
  const unconfined = ["seccomp", "apparmor", "systempaths"].flatMap((what) => ["--security-opt", `${what}=unconfined`]);
  return ["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", ...unconfined, "--device-cgroup-rule", "a *:* rwm"];
}

/** Whether something that calls itself SSH answers at an address. */
export function answersSsh(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22, timeout: 2000 });
    const done = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("data", (data) => done(data.toString("latin1").startsWith("SSH-")));
    socket.once("timeout", () => done(false));
    socket.once("error", () => done(false));
    // An sshd that cannot begin, or that refuses this address, takes the connection and closes it.
    socket.once("close", () => done(false));
  });
}

/** Waits for a node's sshd. Ends at once when its container has: then nothing will answer, and its last lines say why. */
export async function awaitSsh(
  { dockerHost, nodeName, address }: Pick<LabNodeInput, "dockerHost" | "nodeName" | "address">,
  container: string,
  seconds = BOOT_SECONDS,
): Promise<void> {
  const began = Date.now();
  const printed = async (): Promise<string> => {
    const said = await docker(dockerHost, ["logs", "--tail", "20", container]).catch(messageOf);
    return said === "" ? "its container printed nothing" : `the last that its container printed:\n${said}`;
  };
  const what = `lab node ${nodeName} does not answer on ${address}:22`;
  await waitUntil({ what, seconds, say: console.error }, async (left): Promise<Look<true>> => {
    if (await answersSsh(address)) {
      return { value: true };
    }
    const format = "{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}}";
    const state = await docker(dockerHost, ["inspect", container, "--format", format]);
    const [status = "", code = "", outOfMemory, ...why] = state.split(" ");
    if (status === "exited" || status === "dead") {
      const reason = [outOfMemory === "true" ? "out of memory" : "", why.join(" ")].filter((text) => text !== "");
      const after = `${String(Math.round((Date.now() - began) / 1000))} s after its start`;
      throw new Error(
        `lab node ${nodeName}: its container ended with exit code ${code} ${after}${reason.map((text) => ` (${text})`).join("")}; ${await printed()}`,
      );
    }
    const running = status === "running" ? "its container runs, its sshd is not there" : `its container is ${status}`;
    return { reason: left <= 1 ? `${running}; ${await printed()}` : running };
  });
}

/**
 * Makes and boots one lab node, and returns its public host key once its sshd answers. One that is there whole, with the lab's
 * key, is taken as it is; what an interrupted run left of one is replaced; another lab's is refused.
 */
export async function makeLabNode(input: LabNodeInput): Promise<string> {
  const { dockerHost, network, nodeName, address, image, mirrorDir } = input;
  const container = containerOf(input);
  const there = await containerNamed(dockerHost, container);
  if (there !== undefined && !isOf(there, input)) {
    throw new Error(
      `container ${container} belongs to ${ownerText(there, input)}; remove it (docker rm -f -v ${container}) or name this lab otherwise`,
    );
  }
  if (!(await hasImage(dockerHost, image))) {
    throw new Error(
      `node image ${image} is not in the container engine ${engineName(dockerHost)}; "make up" in podnet's folder makes it`,
    );
  }
  if (there !== undefined) {
    if (there.state === "running" && (await isWhole(input, container))) {
      await awaitSsh(input, container);
      return labNodeHostKey(input);
    }
    await docker(dockerHost, ["rm", "-f", "-v", container]);
  }
  const volumes = ["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"].flatMap((path) => ["--volume", path]);
  const mirror =
    mirrorDir !== undefined && statSync(mirrorDir).isDirectory() ? ["--volume", `${mirrorDir}:${mirrorDir}:ro`] : [];
  await docker(dockerHost, [
    "create",
    ...["--name", container, "--hostname", nodeName, "--network", network, "--ip", address],
    ...[...labelWords(input), "--label", `${ADDRESS_LABEL}=${address}`, ...rights(), "--cgroupns=private"],
    ...["--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--tmpfs", "/tmp:exec", ...volumes, ...mirror],
    ...["--stop-signal", "SIGRTMIN+3", "--restart", "no", image],
  ]);
  const hostKey = placeKeys(dockerHost, container, input.publicKey);
  await docker(dockerHost, ["start", container]);
  await awaitSsh(input, container);
  return hostKey;
}

/** Whether a running container is this very node: of this image, at this address, with these mirrors and the lab's own key. */
async function isWhole(
  { dockerHost, address, image, mirrorDir, publicKey }: LabNodeInput,
  container: string,
): Promise<boolean> {
  const format = `{{.Image}} {{index .Config.Labels "${ADDRESS_LABEL}"}} {{range .HostConfig.Binds}}{{.}} {{end}}`;
  const [seen, imageId, keys] = await Promise.all([
    docker(dockerHost, ["container", "inspect", "--format", format, container]),
    docker(dockerHost, ["image", "inspect", "--format", "{{.Id}}", image]),
    docker(dockerHost, ["exec", container, "cat", "/root/.ssh/authorized_keys"]).catch(() => ""),
  ]);
  const mirror = mirrorDir === undefined ? "" : ` ${mirrorDir}:${mirrorDir}:ro`;
  return seen === `${imageId} ${address}${mirror}` && keys === publicKey;
}

/** The public host key of a node that is there. */
export async function labNodeHostKey(input: LabNodeInput): Promise<string> {
  const container = containerOf(input);
  const there = await containerNamed(input.dockerHost, container);
  if (there?.state !== "running") {
    throw new Error(
      `lab node ${input.nodeName}: its container ${container} ${there === undefined ? "is gone" : `is ${there.state}`}; "make up" in podnet's folder mends it (docs/operate.md, "When something of the lab is gone")`,
    );
  }
  return docker(input.dockerHost, ["exec", container, "cut", "-d ", "-f1,2", "/etc/ssh/ssh_host_ed25519_key.pub"]);
}

/** Removes one lab node with its volumes, if it is there. */
export async function removeLabNode(input: LabNodeInput): Promise<void> {
  const container = containerOf(input);
  const there = await containerNamed(input.dockerHost, container);
  if (there === undefined) {
    await assertItsEngine(input.dockerHost, input.network);
  } else if (isOf(there, input)) {
    await docker(input.dockerHost, ["rm", "-f", "-v", container]);
  } else {
    throw new Error(
      `container ${container} belongs to ${ownerText(there, input)}, so it stays; remove it yourself if it may go: docker rm -f -v ${container}`,
    );
  }
}
