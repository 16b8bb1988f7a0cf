import { createRequire } from "node:module";
import type * as Grpc from "@grpc/grpc-js";
import type * as StructProto from "google-protobuf/google/protobuf/struct_pb";
import type * as EmptyProto from "google-protobuf/google/protobuf/empty_pb";
import type * as EngineProto from "@pulumi/pulumi/proto/engine_pb";
import type * as EngineService from "@pulumi/pulumi/proto/engine_grpc_pb";
import type * as PluginProto from "@pulumi/pulumi/proto/plugin_pb";
import type * as ProviderProto from "@pulumi/pulumi/proto/provider_pb";
import type * as ProviderService from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { Operation, Severity } from "./operation";
import * as resources from "./resources";
import { checkInputs, resourceTypes, schemaJson, version, type Failure } from "./schema";
import type { ValueMap } from "./value";

// The protocol's own modules, found as @pulumi/pulumi finds them. Loading the SDK as a whole would double the start time.
const fromPulumi = createRequire(require.resolve("@pulumi/pulumi/package.json"));
const grpc = fromPulumi("@grpc/grpc-js") as typeof Grpc;
const { Struct } = fromPulumi("google-protobuf/google/protobuf/struct_pb") as typeof StructProto;
const { Empty } = fromPulumi("google-protobuf/google/protobuf/empty_pb") as typeof EmptyProto;
const engineProto = fromPulumi("./proto/engine_pb") as typeof EngineProto;
const engineService = fromPulumi("./proto/engine_grpc_pb") as typeof EngineService;
const pluginProto = fromPulumi("./proto/plugin_pb") as typeof PluginProto;
const proto = fromPulumi("./proto/provider_pb") as typeof ProviderProto;
const providerService = fromPulumi("./proto/provider_grpc_pb") as typeof ProviderService;

/** Largest message on the wire, in bytes: what Pulumi's own servers allow. */
const channelOptions = {
  "grpc.max_receive_message_length": 400 * 1024 * 1024,
  "grpc.max_send_message_length": 400 * 1024 * 1024,
};

/** A provider that listens for the engine. */
export interface Serving {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Number of operations that are running. */
  running(): number;
  stop(): void;
}

function toMap(struct: StructProto.Struct | undefined): ValueMap {
  return struct?.toJavaScript() ?? {};
}

function toStruct(map: ValueMap): StructProto.Struct {
  return Struct.fromJavaScript(map);
}

function toFailures(failures: readonly Failure[]): ProviderProto.CheckFailure[] {
  return failures.map(({ property, reason }) => {
    const failure = new proto.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    return failure;
  });
}

/** Answers the engine's requests. `engineAddress` is where messages go to; without it they are dropped. */
export async function serve(engineAddress: string | undefined): Promise<Serving> {
  let engine: EngineService.EngineClient | undefined;
  const attach = (address: string): void => {
    engine = new engineService.EngineClient(address, grpc.credentials.createInsecure(), channelOptions);
  };
  if (engineAddress !== undefined) {
    attach(engineAddress);
  }
  const active = new Set<AbortController>();
  let cancelled = false;
  let sendsOldInputs = false;

  const log = (urn: string, severity: Severity, message: string, status: boolean): Promise<void> =>
    new Promise((resolve) => {
      if (!engine) {
        resolve();
        return;
      }
      const request = new engineProto.LogRequest();
      const { LogSeverity } = engineProto;
      const levels = {
        debug: LogSeverity.DEBUG,
        info: LogSeverity.INFO,
        warning: LogSeverity.WARNING,
        error: LogSeverity.ERROR,
      } as const;
      request.setSeverity(levels[severity]);
      request.setMessage(message);
      request.setUrn(urn);
      request.setEphemeral(status);
      // A message that cannot be delivered must not fail the operation.
      engine.log(request, () => resolve());
    });

  /** Runs one request that may take long, so that cancel and its timeout in seconds (0: none) can end it. */
  const operate = async <T>(urn: string, timeout: number, action: (operation: Operation) => Promise<T>): Promise<T> => {
    const controller = new AbortController();
    const abort = (reason: string): void => controller.abort(new Error(reason));
    const timer = timeout > 0 ? setTimeout(() => abort("context deadline exceeded"), timeout * 1000) : undefined;
    active.add(controller);
    if (cancelled) {
      abort("context canceled");
    }
    try {
      return await action({
        signal: controller.signal,
        log: (severity, message, status = false) => log(urn, severity, message, status),
      });
    } finally {
      clearTimeout(timer);
      active.delete(controller);
    }
  };

  const answer =
    <Request, Response>(handle: (request: Request) => Response | Promise<Response>) =>
    (call: Grpc.ServerUnaryCall<Request, Response>, callback: Grpc.sendUnaryData<Response>): void => {
      Promise.resolve()
        .then(() => handle(call.request))
        .then(
          (response) => callback(null, response),
          (error: unknown) =>
            callback({ code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) }),
        );
    };

  const unchanged = (request: ProviderProto.CheckRequest): ProviderProto.CheckResponse => {
    const response = new proto.CheckResponse();
    response.setInputs(request.getNews());
    return response;
  };

  const handlers: Record<string, Grpc.UntypedHandleCall> = {
    getPluginInfo: answer(() => {
      const response = new pluginProto.PluginInfo();
      response.setVersion(version);
      return response;
    }),
    attach: answer((request: PluginProto.PluginAttach) => {
      attach(request.getAddress());
      return new Empty();
    }),
    cancel: answer(() => {
      cancelled = true;
      active.forEach((controller) => controller.abort(new Error("context canceled")));
      return new Empty();
    }),
    getSchema: answer((request: ProviderProto.GetSchemaRequest) => {
      if (request.getVersion() !== 0) {
        throw new Error(`unsupported schema version ${request.getVersion()}`);
      }
      const response = new proto.GetSchemaResponse();
      response.setSchema(schemaJson());
      return response;
    }),
    checkConfig: answer(unchanged),
    diffConfig: answer(() => {
      const response = new proto.DiffResponse();
      response.setChanges(proto.DiffResponse.DiffChanges.DIFF_NONE);
      return response;
    }),
    configure: answer((request: ProviderProto.ConfigureRequest) => {
      sendsOldInputs = request.getSendsOldInputs() && request.getSendsOldInputsToDelete();
      const response = new proto.ConfigureResponse();
      response.setAcceptsecrets(true);
      response.setSupportspreview(true);
      response.setAcceptresources(true);
      return response;
    }),
    check: answer((request: ProviderProto.CheckRequest) => {
      const { inputs, failures } = checkInputs(
        resourceTypes[resources.typeOf(request.getUrn())],
        toMap(request.getNews()),
      );
      const response = new proto.CheckResponse();
      response.setInputs(toStruct(inputs));
      response.setFailuresList(toFailures(failures));
      return response;
    }),
    diff: answer((request: ProviderProto.DiffRequest) => {
      const found = resources.diff(
        resources.typeOf(request.getUrn()),
        toMap(request.getOlds()),
        sendsOldInputs ? toMap(request.getOldInputs()) : undefined,
        toMap(request.getNews()),
        request.getIgnorechangesList(),
      );
      return toDiffResponse(found);
    }),
    create: answer((request: ProviderProto.CreateRequest) =>
      operate(request.getUrn(), request.getTimeout(), async (operation) => {
        const inputs = toMap(request.getProperties());
        const { id, state } = await resources.create(operation, request.getUrn(), inputs, request.getPreview());
        const response = new proto.CreateResponse();
        response.setId(id);
        response.setProperties(toStruct(state));
        return response;
      }),
    ),
    // The world is not looked at: a command's result cannot be read again.
    read: answer((request: ProviderProto.ReadRequest) => {
      const response = new proto.ReadResponse();
      response.setId(request.getId());
      response.setProperties(request.getProperties());
      response.setInputs(request.getInputs());
      return response;
    }),
    update: answer((request: ProviderProto.UpdateRequest) =>
      operate(request.getUrn(), request.getTimeout(), async (operation) => {
        const state = await resources.update(
          operation,
          request.getUrn(),
          toMap(request.getOlds()),
          toMap(request.getNews()),
          request.getPreview(),
          request.getIgnorechangesList(),
        );
        const response = new proto.UpdateResponse();
        response.setProperties(toStruct(state));
        return response;
      }),
    ),
    delete: answer((request: ProviderProto.DeleteRequest) =>
      operate(request.getUrn(), request.getTimeout(), async (operation) => {
        await resources.remove(operation, request.getUrn(), toMap(request.getProperties()));
        return new Empty();
      }),
    ),
    invoke: answer((request: ProviderProto.InvokeRequest) =>
      operate("", 0, async (operation) => {
        const { outputs, failures } = await resources.invoke(operation, request.getTok(), toMap(request.getArgs()));
        const response = new proto.InvokeResponse();
        response.setReturn(toStruct(outputs));
        response.setFailuresList(toFailures(failures));
        return response;
      }),
    ),
  };

  const server = new grpc.Server(channelOptions);
  const service = providerService.ResourceProviderService as unknown as Grpc.ServiceDefinition;
  server.addService(service, handlers);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error) {
        reject(error);
      } else {
        resolve(bound);
      }
    });
  });
  return { port, running: () => active.size, stop: () => server.forceShutdown() };
}

function toDiffResponse(found: resources.Diff): ProviderProto.DiffResponse {
  const response = new proto.DiffResponse();
  const { DiffChanges } = proto.DiffResponse;
  const { Kind } = proto.PropertyDiff;
  const kinds = {
    add: [Kind.ADD, Kind.ADD_REPLACE],
    delete: [Kind.DELETE, Kind.DELETE_REPLACE],
    update: [Kind.UPDATE, Kind.UPDATE_REPLACE],
  } as const;
  const top = (path: string): string => /^\["((?:\\"|[^"])*)"\]/.exec(path)?.[1] ?? path.replace(/[.[].*/s, "");
  const detailed = response.getDetaileddiffMap();
  const [changed, replacing] = [new Set<string>(), new Set<string>()];
  for (const [path, { kind, replaces }] of found) {
    const property = new proto.PropertyDiff();
    property.setKind(kinds[kind][replaces ? 1 : 0]);
    detailed.set(path, property);
    changed.add(top(path));
    if (replaces) {
      replacing.add(top(path));
    }
  }
  response.setChanges(found.size > 0 ? DiffChanges.DIFF_SOME : DiffChanges.DIFF_NONE);
  response.setHasdetaileddiff(true);
  response.setDiffsList([...changed]);
  response.setReplacesList([...replacing]);
  return response;
}
