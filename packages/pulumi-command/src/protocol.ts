import { createRequire } from "node:module";
import type * as Grpc from "@grpc/grpc-js";
import type * as StructProto from "google-protobuf/google/protobuf/struct_pb";
import type * as EmptyProto from "google-protobuf/google/protobuf/empty_pb";
import type * as EngineProto from "@pulumi/pulumi/proto/engine_pb";
import type * as EngineService from "@pulumi/pulumi/proto/engine_grpc_pb";
import type * as PluginProto from "@pulumi/pulumi/proto/plugin_pb";
import type * as ProviderProto from "@pulumi/pulumi/proto/provider_pb";
import type * as ProviderService from "@pulumi/pulumi/proto/provider_grpc_pb";
import type { Failure } from "./check";
import type { Diff } from "./resources";
import type { ValueMap } from "./value";

// The protocol's own modules, found as @pulumi/pulumi finds them. Loading the SDK as a whole would double the start time.
const fromPulumi = createRequire(require.resolve("@pulumi/pulumi/package.json"));
/** gRPC, as @pulumi/pulumi has it. */
export const grpc = fromPulumi("@grpc/grpc-js") as typeof Grpc;
/** The empty message. */
export const { Empty } = fromPulumi("google-protobuf/google/protobuf/empty_pb") as typeof EmptyProto;
/** Messages to the engine. */
export const engineProto = fromPulumi("./proto/engine_pb") as typeof EngineProto;
/** The engine's own service. */
export const engineService = fromPulumi("./proto/engine_grpc_pb") as typeof EngineService;
/** Messages about plugins as such. */
export const pluginProto = fromPulumi("./proto/plugin_pb") as typeof PluginProto;
/** Messages of a provider. */
export const proto = fromPulumi("./proto/provider_pb") as typeof ProviderProto;
/** The service that a provider serves. */
export const providerService = fromPulumi("./proto/provider_grpc_pb") as typeof ProviderService;
const { Struct } = fromPulumi("google-protobuf/google/protobuf/struct_pb") as typeof StructProto;

/** Largest message on the wire, in bytes: what Pulumi's own servers allow. */
export const channelOptions = {
  "grpc.max_receive_message_length": 400 * 1024 * 1024,
  "grpc.max_send_message_length": 400 * 1024 * 1024,
};

/** Property values out of a message. */
export function toMap(struct: StructProto.Struct | undefined): ValueMap {
  return struct?.toJavaScript() ?? {};
}

/** Property values for a message. */
export function toStruct(map: ValueMap): StructProto.Struct {
  return Struct.fromJavaScript(map);
}

/** Refused properties for a message. */
export function toFailures(failures: readonly Failure[]): ProviderProto.CheckFailure[] {
  return failures.map(({ property, reason }) => {
    const failure = new proto.CheckFailure();
    failure.setProperty(property);
    failure.setReason(reason);
    return failure;
  });
}

/** Differences as the engine wants them: by path, and once more by top-level property. */
export function toDiffResponse(found: Diff): ProviderProto.DiffResponse {
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
