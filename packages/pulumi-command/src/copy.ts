import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path/posix";
import type { SFTPWrapper, Stats } from "ssh2";
import { channelFailure, connected, type Connection, type Dialled } from "./connection";
import { systemErrorText } from "./gotext";
import type { Operation } from "./operation";

/** SFTP status codes that stand for an ordinary file error. */
const noSuchFile = 2;
const statusTexts: Record<number, string> = { 2: "file does not exist", 3: "permission denied" };
const statusNames: Record<number, string> = {
  1: "SSH_FX_EOF",
  4: "SSH_FX_FAILURE",
  5: "SSH_FX_BAD_MESSAGE",
  6: "SSH_FX_NO_CONNECTION",
  7: "SSH_FX_CONNECTION_LOST",
  8: "SSH_FX_OP_UNSUPPORTED",
};

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : undefined;
}

/** What an SFTP or local file error says, in the official provider's words. */
function reasonOf(error: unknown): string {
  const status = statusOf(error);
  if (status === undefined) {
    return systemErrorText(error);
  }
  const message = error instanceof Error ? error.message : "";
  return statusTexts[status] ?? `sftp: "${message}" (${statusNames[status] ?? `code ${status}`})`;
}

/** The few file operations that copying needs, as promises. Each fails when the connection is lost. */
class RemoteFiles {
  constructor(
    private readonly sftp: SFTPWrapper,
    private readonly dialled: Dialled,
  ) {}

  #call<T>(start: (done: (error: Error | null | undefined, result?: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error(`connection to ${this.dialled.address} lost: ${this.dialled.lost()}`));
      this.dialled.client.once("close", lost);
      start((error, result) => {
        this.dialled.client.removeListener("close", lost);
        if (error) {
          reject(error);
        } else {
          resolve(result as T);
        }
      });
    });
  }

  /** Attributes of a remote path; undefined when there is nothing. */
  async stat(path: string): Promise<Stats | undefined> {
    try {
      return await this.#call<Stats>((done) => this.sftp.stat(path, done));
    } catch (error) {
      if (statusOf(error) === noSuchFile) {
        return undefined;
      }
      throw new Error(`failed to stat remote path ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Makes one folder. */
  async mkdir(path: string): Promise<void> {
    await this.#call<undefined>((done) => this.sftp.mkdir(path, (error) => done(error))).catch((error: unknown) => {
      throw new Error(`failed to create remote directory ${path}: ${reasonOf(error)}`, { cause: error });
    });
  }

  /** Makes a folder and all its parents. `failing` begins the error. */
  async mkdirAll(path: string, failing: string): Promise<void> {
    const existing = await this.stat(path);
    if (existing?.isDirectory()) {
      return;
    }
    if (existing) {
      throw new Error(`${failing}: mkdir ${path}: not a directory`);
    }
    if (dirname(path) !== path) {
      await this.mkdirAll(dirname(path), failing);
    }
    try {
      await this.#call<undefined>((done) => this.sftp.mkdir(path, (error) => done(error)));
    } catch (error) {
      // Another copy may have made it in between.
      if (!(await this.stat(path))?.isDirectory()) {
        throw new Error(`${failing}: ${reasonOf(error)}`, { cause: error });
      }
    }
  }

  /** Writes a text to a remote file, which is made or emptied first. */
  async write(path: string, text: string): Promise<void> {
    const handle = await this.#create(path);
    try {
      const bytes = Buffer.from(text);
      await this.#call<undefined>((done) => {
        if (bytes.length === 0) {
          done(undefined);
        } else {
          this.sftp.write(handle, bytes, 0, bytes.length, 0, (error) => done(error));
        }
      });
    } catch (error) {
      throw new Error(`failed to write text content to remote path ${path}: ${reasonOf(error)}`, { cause: error });
    } finally {
      await this.#call<undefined>((done) => this.sftp.close(handle, (error) => done(error))).catch(() => undefined);
    }
  }

  /** Copies one local file, many blocks at a time. */
  async put(source: string, path: string): Promise<void> {
    await readable(source);
    const handle = await this.#create(path);
    await this.#call<undefined>((done) => this.sftp.close(handle, (error) => done(error)));
    try {
      await this.#call<undefined>((done) => this.sftp.fastPut(source, path, (error) => done(error)));
    } catch (error) {
      throw new Error(`failed to copy file ${source} to remote path ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }

  #create(path: string): Promise<Buffer> {
    return this.#call<Buffer>((done) => this.sftp.open(path, "w", done)).catch((error: unknown) => {
      throw new Error(`failed to create remote file ${path}: ${reasonOf(error)}`, { cause: error });
    });
  }
}

async function readable(path: string): Promise<void> {
  try {
    await (await open(path)).close();
  } catch (error) {
    throw new Error(`open ${path}: ${systemErrorText(error)}`, { cause: error });
  }
}

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
      await files.mkdirAll(dirname(target), `failed to create parent directories for ${target}`);
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
  await files.mkdirAll(dirname(target), `failed to create parent directories for ${target}`);
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
      await (source.exact ? files.put(source.path, target) : copyPath(files, source.path, target));
    }
  });
}
