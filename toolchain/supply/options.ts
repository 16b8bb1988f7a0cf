import type { Arch, ReleaseFile } from "../../components/node/releases";
import type { Progress } from "../host/progress";

/** Where things are and come from. */
export interface ToolchainOptions {
  /** Folder of the clone, with the pinned sources in it. */
  readonly project: string;
  readonly cache: string;
  readonly progress: Progress;
  /** The files that nodes install; those of the pinned versions by default. */
  readonly releases?: readonly ReleaseFile[];
  /** Turns a path such as `dl.k8s.io/release/…` into a URL; `https://` and the path by default. */
  readonly upstream?: (path: string) => string;
}

/** URL of a path such as `dl.k8s.io/release/…`. */
export function urlOf(options: Pick<ToolchainOptions, "upstream">, path: string): string {
  return options.upstream ? options.upstream(path) : `https://${path}`;
}

/** Thrown with every tool that could not be had, and for each what was tried. */
export class ToolchainError extends Error {
  override readonly name = "ToolchainError";
  constructor(readonly failures: readonly string[]) {
    super(`the toolchain is not complete:\n  ${failures.join("\n  ")}`);
  }
}

/** The architecture of this machine by Go's names. */
export function hostArch(): Arch {
  if (process.arch !== "x64" && process.arch !== "arm64") {
    throw new Error(`${process.arch} machines are not supported; use x86_64 or arm64`);
  }
  return process.arch === "x64" ? "amd64" : "arm64";
}
