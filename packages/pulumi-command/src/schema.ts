import { objects, resourceTypes, runType, version, type Fields, type FieldType } from "./types";

interface JsonType {
  readonly [key: string]: string | boolean | number | JsonType;
}

function jsonType(type: FieldType): JsonType {
  switch (type) {
    case "string":
    case "number":
      return { type };
    case "int":
      return { type: "integer" };
    case "bool":
      return { type: "boolean" };
    case "strings":
      return { type: "array", items: { type: "string" } };
    case "list":
      return { type: "array", items: { $ref: "pulumi.json#/Any" } };
    case "stringMap":
      return { type: "object", additionalProperties: { type: "string" } };
    case "asset":
      return { $ref: "pulumi.json#/Asset" };
    case "connection":
      return { $ref: "#/types/command:remote:Connection" };
    case "proxy":
      return { $ref: "#/types/command:remote:ProxyConnection" };
  }
}

/** The package's schema as JSON text: every type and property of the official one, without its descriptions. */
export function schemaJson(): string {
  const properties = (fields: Fields): Record<string, object> =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => [
        name,
        {
          ...jsonType(field.type),
          ...(field.secret ? { secret: true } : {}),
          ...(field.replaces ? { replaceOnChanges: true } : {}),
          ...(field.default === undefined ? {} : { default: field.default }),
        },
      ]),
    );
  const required = (fields: Fields): string[] =>
    Object.keys(fields)
      .filter((name) => fields[name]?.required)
      .sort();
  const text = { type: "string" };
  const localOutputs = {
    stdout: text,
    stderr: text,
    assets: { type: "object", additionalProperties: { $ref: "pulumi.json#/Asset" } },
    archive: { $ref: "pulumi.json#/Archive" },
  };
  const outputsOf = (token: string): Record<string, object> => {
    if (token === "command:remote:Command") {
      return { stdout: text, stderr: text };
    }
    return token.startsWith("command:local:") ? localOutputs : {};
  };
  const requiredOutputs = (token: string): string[] => ("stdout" in outputsOf(token) ? ["stderr", "stdout"] : []);
  const resources = Object.entries(resourceTypes).map(([token, { fields }]) => [
    token,
    {
      properties: { ...properties(fields), ...outputsOf(token) },
      required: [...required(fields), ...requiredOutputs(token)].sort(),
      inputProperties: properties(fields),
      requiredInputs: required(fields),
    },
  ]);
  const object = (fields: Fields): object => ({
    type: "object",
    properties: properties(fields),
    required: required(fields),
  });
  return JSON.stringify({
    name: "command",
    version,
    provider: {},
    types: {
      "command:remote:Connection": object(objects.connection.fields),
      "command:remote:ProxyConnection": object(objects.proxy.fields),
    },
    resources: Object.fromEntries(resources) as object,
    functions: {
      "command:local:run": {
        inputs: object(runType.fields),
        outputs: {
          type: "object",
          properties: { ...properties(runType.fields), ...localOutputs },
          required: ["command", ...requiredOutputs("command:local:run")],
        },
      },
    },
  });
}
