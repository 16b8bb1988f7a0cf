import type * as Grpc from "@grpc/grpc-js";
import type * as PluginProto from "@pulumi/pulumi/proto/plugin_pb";
import type * as ProviderProto from "@pulumi/pulumi/proto/provider_pb";
import { checkInputs } from "./check";
import { EngineLog, Operations } from "./engine";
import {
  channelOptions,
  Empty,
  grpc,
  pluginProto,
  proto,
  providerService,
  toDiffResponse,
  toFailures,
  toMap,
  toStruct,
} from "./protocol";
import * as resources from "./resources";
import { schemaJson } from "./schema";
import { resourceTypes, version } from "./types";

/** A provider that listens for the engine. */
export interface Serving {
  /** Port on 127.0.0.1. */
  readonly port: number;
  /** Number of operations that are running. */
  running(): number;
  stop(): void;
}

/** Answers the engine's requests. `engineAddress` is where messages go to; without it they are dropped. */
export async function serve(engineAddress: string | undefined): Promise<Serving> {
  const engine = new EngineLog(engineAddress);
  const operations = new Operations(engine);
  let sendsOldInputs = false;

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
      engine.attach(request.getAddress());
      return new Empty();
    }),
    cancel: answer(() => {
      operations.cancel();
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
      operations.run(request.getUrn(), request.getTimeout(), async (operation) => {
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
      operations.run(request.getUrn(), request.getTimeout(), async (operation) => {
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
      operations.run(request.getUrn(), request.getTimeout(), async (operation) => {
        await resources.remove(operation, request.getUrn(), toMap(request.getProperties()));
        return new Empty();
      }),
    ),
    invoke: answer((request: ProviderProto.InvokeRequest) =>
      operations.run("", 0, async (operation) => {
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
  return { port, running: () => operations.running(), stop: () => server.forceShutdown() };
}
