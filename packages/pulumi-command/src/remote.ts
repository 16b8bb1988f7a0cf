import type { Client, ClientChannel } from "ssh2";
import { channelFailure, connected, type Connection } from "./connection";
import { quote, remoteExit, trimNewline, type RemoteExit } from "./gotext";
import { previousOutput, type CommandOutput } from "./local";
import type { Dialled } from "./login";
import { Output, type Operation } from "./operation";

/** Inputs of a remote command, known and without secret wrapping. */
export interface RemoteInputs {
  readonly connection: Connection;
  readonly stdin?: string;
  readonly logging?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly addPreviousOutputInEnv?: boolean;
}

type Reply = (failed: boolean | Error) => void;

/** Parts of ssh2 1.17 below its public interface. Its `exec` sends variables without asking whether they were accepted. */
interface SessionChannel extends ClientChannel {
  readonly _callbacks: Reply[];
  readonly outgoing: { readonly id: number };
  allowHalfOpen: boolean;
}
interface ClientInternals {
  readonly _chanMgr: {
    add(opened: ((error: Error | undefined, channel: SessionChannel) => void) & { type?: string }): number;
  };
  readonly _protocol: {
    session(channel: number, window: number, packetSize: number): void;
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
  };
}
const windowSize = 2 * 1024 * 1024;
const packetSize = 32 * 1024;

function openSession(dialled: Dialled): Promise<SessionChannel> {
  const client = dialled.client as Client & ClientInternals;
  return new Promise((resolve, reject) => {
    if (dialled.lost() !== undefined) {
      reject(new Error("EOF"));
      return;
    }
    const opened = Object.assign(
      (error: Error | undefined, channel: SessionChannel): void => {
        if (error) {
          reject(new Error(channelFailure(error), { cause: error }));
        } else {
          resolve(channel);
        }
      },
      { type: "session" },
    );
    const id = client._chanMgr.add(opened);
    client._protocol.session(id, windowSize, packetSize);
  });
}

/** Makes one request on a channel and returns whether the server granted it. */
function request(channel: SessionChannel, send: () => void): Promise<boolean> {
  return new Promise((resolve) => {
    channel._callbacks.push((failed) => resolve(failed === false));
    send();
  });
}

function unaccepted(name: string): string {
  return `Unable to set '${name}'. This only works if your SSH server is configured to accept
	these variables via AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could
	prefix the command itself with the variables in the form 'VAR=value command'`;
}

/** Runs a command on the remote host to its end and returns what it printed. The connection is closed afterwards. */
export async function runRemote(
  operation: Operation,
  command: string,
  inputs: RemoteInputs,
  previous: CommandOutput,
): Promise<CommandOutput> {
  return connected(operation, inputs.connection, async (dialled) => {
    const channel = await openSession(dialled).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}${lossOf(dialled)}`, { cause: error });
    });
    const { _protocol: protocol } = dialled.client as Client & ClientInternals;
    const id = channel.outgoing.id;
    const failed = (what: string): string => (dialled.lost() === undefined ? what : `EOF${lossOf(dialled)}`);
    for (const [name, value] of Object.entries(inputs.environment ?? {})) {
      if (!(await request(channel, () => protocol.env(id, name, value, true)))) {
        await operation.log("error", unaccepted(name));
        throw new Error(`could not set environment variable ${quote(name)}: ${failed("ssh: setenv failed")}`);
      }
    }
    for (const [name, value] of previousOutput(inputs, previous)) {
      if (!(await request(channel, () => protocol.env(id, name, value, true)))) {
        await operation.log("warning", unaccepted(name));
      }
    }
    const output = new Output(operation, inputs.logging);
    output.take("stdout", channel);
    output.take("stderr", channel.stderr);
    channel.allowHalfOpen = true;
    const ended = exitOf(channel);
    const granted = await request(channel, () => protocol.exec(id, command, true));
    let failure: string | undefined;
    if (granted) {
      // A command need not read its input: that it closed the channel is no error.
      channel.on("error", () => undefined).end(inputs.stdin ?? "");
      const exit = await ended;
      failure = exit
        ? remoteExit(exit)
        : `wait: remote command exited without exit status or exit signal${lossOf(dialled)}`;
    } else {
      failure = failed(`ssh: command ${command} failed`);
    }
    await output.finish();
    if (failure !== undefined) {
      throw new Error(`${failure}: running ${quote(command)}:\n${output.text("both")}`);
    }
    return { stdout: trimNewline(output.text("stdout")), stderr: trimNewline(output.text("stderr")) };
  });
}

function lossOf(dialled: Dialled): string {
  const lost = dialled.lost();
  return lost === undefined ? "" : ` (connection to ${dialled.address} lost: ${lost})`;
}

/** How the command on a channel ended, once all its output is read; undefined when the server did not tell. */
function exitOf(channel: SessionChannel): Promise<RemoteExit | undefined> {
  return new Promise((resolve) => {
    let exit: RemoteExit | undefined;
    let open = 2;
    channel.on("exit", (code: number | null, signal?: string, _dumped?: boolean, description?: string) => {
      exit = { code, signal, description };
    });
    const closed = (): void => {
      if (--open === 0) {
        resolve(exit);
      }
    };
    channel.once("close", closed);
    channel.stderr.once("close", closed);
  });
}
