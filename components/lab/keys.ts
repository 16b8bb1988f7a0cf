import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { engineEnv } from "./docker";

/** Makes an SSH key pair in OpenSSH form. The private key is a secret. */
export function makeKeys(): { readonly privateKey: string; readonly publicKey: string } {
  const folder = mkdtempSync(join(tmpdir(), "podnet-keys-"));
  try {
    const file = join(folder, "key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "podnet", "-f", file]);
    return { privateKey: readFileSync(file, "utf8"), publicKey: readFileSync(`${file}.pub`, "utf8").trim() };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes a node's own host key and the lab's login key where its sshd reads them, and returns the public host key. */
export function placeKeys(dockerHost: string | undefined, container: string, publicKey: string): string {
  const folder = mkdtempSync(join(tmpdir(), "podnet-node-"));
  try {
    const ssh = join(folder, "root", "etc", "ssh");
    const login = join(folder, "root", "root", ".ssh");
    mkdirSync(ssh, { recursive: true });
    mkdirSync(login, { recursive: true, mode: 0o700 });
    const hostKey = join(ssh, "ssh_host_ed25519_key");
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", hostKey]);
    writeFileSync(join(login, "authorized_keys"), `${publicKey}\n`, { mode: 0o600 });
    const archive = join(folder, "archive.tar");
    const paths = ["etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub", "root/.ssh"];
    const numeric = ["--owner=0", "--group=0", "--numeric-owner"];
    execFileSync("tar", ["-C", join(folder, "root"), ...numeric, "-cf", archive, ...paths]);
    execFileSync("docker", ["cp", "-", `${container}:/`], {
      env: engineEnv(dockerHost),
      input: readFileSync(archive),
      stdio: ["pipe", "ignore", "pipe"],
    });
    return readFileSync(`${hostKey}.pub`, "utf8").split(" ").slice(0, 2).join(" ").trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
