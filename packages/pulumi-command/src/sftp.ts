import { open } from "node:fs/promises";
import { dirname } from "node:path/posix";
import type { SFTPWrapper, Stats } from "ssh2";
import { systemErrorText } from "./gotext";
import type { Dialled } from "./login";

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
export class RemoteFiles {
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

  /** Copies one local file, many blocks at a time. With `bare` an error says the reason alone. */
  async put(source: string, path: string, bare = false): Promise<void> {
    await readable(source);
    const handle = await this.#create(path, bare);
    await this.#call<undefined>((done) => this.sftp.close(handle, (error) => done(error)));
    try {
      await this.#call<undefined>((done) => this.sftp.fastPut(source, path, (error) => done(error)));
    } catch (error) {
      const isReading = error instanceof Error && "syscall" in error && error.syscall === "read";
      const reason = isReading ? `read ${source}: ${reasonOf(error)}` : reasonOf(error);
      throw new Error(bare ? reason : `failed to copy file ${source} to remote path ${path}: ${reason}`, {
        cause: error,
      });
    }
  }

  #create(path: string, bare = false): Promise<Buffer> {
    return this.#call<Buffer>((done) => this.sftp.open(path, "w", done)).catch((error: unknown) => {
      const reason = reasonOf(error);
      throw new Error(bare ? reason : `failed to create remote file ${path}: ${reason}`, { cause: error });
    });
  }
}

/** Fails, in the official provider's words, when a path of this machine cannot be opened. */
export async function readable(path: string): Promise<void> {
  try {
    await (await open(path)).close();
  } catch (error) {
    throw new Error(`open ${path}: ${systemErrorText(error)}`, { cause: error });
  }
}
