import { readdir, stat } from "node:fs/promises";
import { basename, join, normalize } from "node:path/posix";
import type { SFTPWrapper } from "ssh2";
import { channelFailure, connected, type Connection } from "./connection";
import type { Operation } from "./operation";
import { readable, RemoteFiles } from "./sftp";

async function copyFolder(files: RemoteFiles, source: string, target: string): Promise<void> {
  const found = await files.stat(target);
  if (found && !found.isDirectory()) {
    throw new Error(`remote path ${target} exists but is not a directory`);
  }
  if (!found) {
    await files.mkdir(target);
  }
  const entries = await readdir(source, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    await (entry.isDirectory() ? copyFolder(files, from, to) : files.put(from, to));
  }
}

/** The folder that a path is in, as Go's `filepath.Dir` has it: of `a/b/` that is `a/b` itself. */
function folderOf(path: string): string {
  const folder = normalize(path.slice(0, path.lastIndexOf("/") + 1));
  return folder === "/" ? folder : folder.replace(/\/$/, "");
}

/**
 * Copies a file or folder of this machine. A file goes into an existing folder or to the very path; a folder without a
 * trailing slash goes into the remote folder, one with a trailing slash gives its contents to it.
 */
async function copyPath(files: RemoteFiles, source: string, target: string): Promise<void> {
  await readable(source);
  const isFolder = (await stat(source)).isDirectory();
  const found = await files.stat(target);
  if (!isFolder) {
    const intoFolder = found?.isDirectory() === true;
    if (!found) {
      await files.mkdirAll(folderOf(target), `failed to create parent directories for ${target}`);
    }
    await files.put(source, intoFolder ? join(target, basename(source)) : target);
    return;
  }
  if (!found) {
    await files.mkdirAll(target, `failed to create remote directory ${target}`);
  }
  await copyFolder(files, source, source.endsWith("/") ? target : join(target, basename(source)));
}

async function copyText(files: RemoteFiles, text: string, target: string): Promise<void> {
  if ((await files.stat(target))?.isDirectory()) {
    throw new Error(`remote path ${target} is a directory; when using a text asset, remotePath must be a file path`);
  }
  await files.mkdirAll(folderOf(target), `failed to create parent directories for ${target}`);
  await files.write(target, text);
}

/** Copies a text, a file or a folder to the remote host by SFTP. `exact` copies a file to the very path and makes no folders. */
export async function copyToRemote(
  operation: Operation,
  connection: Connection,
  source: { text: string } | { path: string; exact?: boolean },
  target: string,
): Promise<void> {
  const from = "text" in source ? "text asset" : `local file ${source.path}`;
  await operation.log("debug", `Creating file: ${connection.host}:${target} from ${from}`);
  if ("exact" in source) {
    await readable(source.path);
  }
  await connected(operation, connection, async (dialled) => {
    const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      dialled.client.sftp((error, wrapper) => {
        if (error) {
          reject(new Error(channelFailure(error), { cause: error }));
        } else {
          resolve(wrapper);
        }
      });
    });
    sftp.on("error", () => undefined);
    const files = new RemoteFiles(sftp, dialled);
    if ("text" in source) {
      await copyText(files, source.text, target);
    } else {
      await (source.exact ? files.put(source.path, target, true) : copyPath(files, source.path, target));
    }
  });
}
