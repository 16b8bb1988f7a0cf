import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf } from "../args/validate";
import type { Finding } from "./report/finding";
import { html } from "./report/formats/html";
import { junit } from "./report/formats/junit";
import { markdown } from "./report/formats/markdown";
import { prometheus } from "./report/formats/prometheus";
import type { Report } from "./report/report";
import { claimsOf, type Selection } from "./selection";

/** Forms of a report that can be written to a file, by the option that names it. */
export const FORMS = {
  json: (report) => `${JSON.stringify(report)}\n`,
  html,
  junit,
  markdown,
  prometheus,
} as const satisfies Readonly<Record<string, (report: Report, findings: readonly Finding[]) => string>>;

/** What a run of the check was asked for by the words behind its command. */
export interface Asked {
  /** Whether standard output stays empty. */
  readonly tableOnly: boolean;
  /** Where each form of the report goes. */
  readonly files: ReadonlyMap<keyof typeof FORMS, string>;
  readonly selection: Selection;
  /** The options of the command's own, by name. */
  readonly own: Readonly<Record<string, string | undefined>>;
}

const COMMON: NonNullable<ParseArgsConfig["options"]> = {
  table: { type: "boolean" },
  ...Object.fromEntries(Object.keys(FORMS).map((form) => [form, { type: "string" }])),
  only: { type: "string", multiple: true },
  node: { type: "string", multiple: true },
};

/** How a command that runs the check is called: with its own options, each with the word that stands for its value. */
export function usageOf(command: string, own: Readonly<Record<string, string>> = {}): string {
  const valued = [
    ...Object.entries(own),
    ...Object.keys(FORMS).map((form) => [form, "FILE"] as const),
    ["only", "CLAIM[,CLAIM]"],
    ["node", "NODE[,NODE]"],
  ];
  return `usage: podnet ${command} [--table] ${valued.map(([name = "", word = ""]) => `[--${name} ${word}]`).join(" ")}`;
}

/**
 * What the words behind a command ask for. `--json`, `--html`, `--junit`, `--markdown` and `--prometheus` each write the report to a
 * file in their form, `--only` names claims and `--node` nodes, several by commas or by more than one such option. Throws on an
 * option that is none, on a claim that is none and on a file that cannot be written.
 */
export function optionsOf(
  command: string,
  words: readonly string[],
  own: Readonly<Record<string, string>> = {},
): Asked {
  const options: NonNullable<ParseArgsConfig["options"]> = {
    ...COMMON,
    ...Object.fromEntries(Object.keys(own).map((name) => [name, { type: "string" as const }])),
  };
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: [...words], options }));
  } catch (error) {
    throw new Error(`${messageOf(error)}; ${usageOf(command, own)}`, { cause: error });
  }
  const listed = (name: string): readonly string[] | undefined => {
    const given = values[name] as readonly string[] | undefined;
    const names = given?.flatMap((value) => value.split(",").filter((one) => one !== ""));
    if (names?.length === 0) {
      // A variable of a script that is not set must not turn a proof into nothing.
      throw new Error(`--${name} names nothing; leave it away to prove everything, or name what is proven`);
    }
    return names;
  };
  const files = new Map(
    (Object.keys(FORMS) as (keyof typeof FORMS)[]).flatMap((form) => {
      const file = values[form];
      return typeof file === "string" ? [[form, file] as const] : [];
    }),
  );
  files.forEach((file) => accessSync(dirname(file), constants.W_OK));
  const selection = { claims: listed("only"), nodes: listed("node") };
  // So that a claim that is none is told before anything is asked.
  claimsOf(selection);
  return {
    tableOnly: values["table"] === true,
    files,
    selection,
    own: Object.fromEntries(Object.keys(own).map((name) => [name, values[name] as string | undefined])),
  };
}
