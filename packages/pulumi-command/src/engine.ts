import type * as EngineService from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { Operation, Severity } from "./operation";
import { channelOptions, engineProto, engineService, grpc } from "./protocol";

/** Messages to the engine, which shows them to the user. Without an engine they are dropped. */
export class EngineLog {
  #engine: EngineService.EngineClient | undefined;

  constructor(address: string | undefined) {
    if (address !== undefined) {
      this.attach(address);
    }
  }

  /** Takes an engine at this address from now on. */
  attach(address: string): void {
    // An engine is on this machine, and a proxy of the environment's would be asked for 127.0.0.1 of its own.
    const options = { ...channelOptions, "grpc.enable_http_proxy": 0 };
    this.#engine = new engineService.EngineClient(address, grpc.credentials.createInsecure(), options);
  }

  /** Sends one message about a resource; resolves when it is sent, or cannot be: that must not fail the operation. */
  send(urn: string, severity: Severity, message: string, status: boolean): Promise<void> {
    const engine = this.#engine;
    if (!engine) {
      return Promise.resolve();
    }
    const request = new engineProto.LogRequest();
    const { DEBUG: debug, INFO: info, WARNING: warning, ERROR: error } = engineProto.LogSeverity;
    request.setSeverity({ debug, info, warning, error }[severity]);
    request.setMessage(message);
    request.setUrn(urn);
    request.setEphemeral(status);
    return new Promise((resolve) => {
      engine.log(request, () => resolve());
    });
  }
}

/** The requests that may take long, so that cancel and their timeouts can end them. */
export class Operations {
  readonly #active = new Set<AbortController>();
  #cancelled = false;

  constructor(private readonly engine: EngineLog) {}

  /** Number of operations that are running. */
  running(): number {
    return this.#active.size;
  }

  /** Ends what is running, and lets nothing run any more. */
  cancel(): void {
    this.#cancelled = true;
    this.#active.forEach((controller) => controller.abort(new Error("context canceled")));
  }

  /** Runs one operation on a resource. `timeout` is in seconds; 0 means none. */
  async run<T>(urn: string, timeout: number, action: (operation: Operation) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const abort = (reason: string): void => controller.abort(new Error(reason));
    const timer = timeout > 0 ? setTimeout(() => abort("context deadline exceeded"), timeout * 1000) : undefined;
    this.#active.add(controller);
    if (this.#cancelled) {
      abort("context canceled");
    }
    try {
      return await action({
        signal: controller.signal,
        log: (severity, message, status = false) => this.engine.send(urn, severity, message, status),
      });
    } finally {
      clearTimeout(timer);
      this.#active.delete(controller);
    }
  }
}
