import { CLAIMS } from "../../claims";
import type { Hop } from "../../cause/cause";
import { nodeOf } from "../../request";
import { describe, type Finding } from "../finding";
import { claimsIn, type Report, rowOf } from "../report";
import { causeText, partLine, verdictText } from "../table";
import { SCRIPT, STYLE } from "./page";
import { xml } from "./xml";

/** Failures that the page lists of a claim; all are in the JSON. */
const LISTED = 50;

/** The report as one page that needs no network: verdict, causes with the packet's way, claims, who reaches whom, latencies, failures. */
export function html(report: Report, findings: readonly Finding[]): string {
  const title = verdictText(report);
  return [
    "<!doctype html>",
    `<html lang="en">`,
    `<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">`,
    `<title>${xml(title)}</title><style>${STYLE}</style></head>`,
    "<body>",
    `<header class="${report.passed ? "good" : "bad"}"><h1>${xml(title)}</h1>`,
    `<p>${xml(String(report.nodes.length))} nodes: ${xml(report.nodes.slice(0, 20).join(", "))}${report.nodes.length > 20 ? ", …" : ""}</p></header>`,
    "<main>",
    ...causes(report),
    ...warnings(report),
    ...claims(report),
    ...matrix(report, findings),
    ...latencies(report),
    ...failures(report),
    "</main>",
    `<script>${SCRIPT}</script>`,
    "</body></html>",
    "",
  ].join("\n");
}

/** The stations of a packet's way, in its order, each with the hop that a cause names it by. */
const WAY: readonly (readonly [hop: Hop, label: string])[] = [
  ["pod", "pod"],
  ["bridge", "bridge"],
  ["routes", "node's routes"],
  ["rules", "node's rules"],
  ["link", "link"],
];

function causes({ causes: known }: Report): string[] {
  if (known.length === 0) {
    return [];
  }
  const items = known.map((cause) => `<li><p>${xml(causeText(cause))}</p>${way(cause)}</li>`);
  return [`<section><h2>Causes</h2><ol class="causes">`, ...items, "</ol></section>"];
}

/** The packet's way as a row of stations, the broken one marked; nothing where the cause is none of them. */
function way({ hop, place }: Report["causes"][number]): string {
  if (!WAY.some(([name]) => name === hop)) {
    return "";
  }
  const stations = WAY.map(([name, label]) =>
    name === hop
      ? `<li class="bad" aria-current="true">${xml(label)} <strong>broken here</strong></li>`
      : `<li>${xml(label)}</li>`,
  );
  return `<ol class="way" aria-label="the packet's way on ${xml(place)}"><li class="place">${xml(place)}</li>${stations.join("")}<li class="place">other node</li></ol>`;
}

function warnings({ warnings: all }: Report): string[] {
  return all.length === 0
    ? []
    : ["<section><h2>Warnings</h2><ul>", ...all.map((warning) => `<li>${xml(warning)}</li>`), "</ul></section>"];
}

function claims(report: Report): string[] {
  const rows = claimsIn(report).map(({ id, title }) => {
    const { state, passed, failed, blocked, total, reason } = rowOf(id, report);
    const word = { na: "n/a", bad: "failed", open: total === 0 ? "no proof" : "blocked", good: "holds" }[state];
    return `<tr><th scope="row"><code>${id}</code></th><td class="${state}">${word}</td><td class="number">${state === "na" ? "" : `${String(passed)}/${String(total)}`}</td><td class="number">${failed > 0 ? String(failed) : ""}</td><td class="number">${blocked > 0 ? String(blocked) : ""}</td><td>${xml(reason === "" ? title : reason)}</td></tr>`;
  });
  return [
    "<section><h2>Claims</h2>",
    ...partLine(report).map((line) => `<p>${xml(line.trim())}</p>`),
    "<table><thead><tr>",
    ...["claim", "result", "proofs", "failed", "blocked", "what it says"].map((head) => `<th scope="col">${head}</th>`),
    "</tr></thead><tbody>",
    ...rows,
    "</tbody></table></section>",
  ];
}

/** A cell of a table of nodes by nodes. */
interface Cell {
  readonly state: "good" | "bad" | "open" | "none";
  readonly text: string;
  readonly content?: string;
  /** Strength of its colour, 0 to 1, where it is a measure. */
  readonly heat?: number;
}

/** A table of nodes by nodes that keys walk through; the cell that is looked at is told below it. */
function grid(
  id: string,
  caption: string,
  nodes: readonly string[],
  cellOf: (from: string, to: string) => Cell,
): string[] {
  const cell = (from: string, to: string, first: boolean): string => {
    const { state, text, content = "", heat } = cellOf(from, to);
    const colour = heat === undefined ? "" : ` style="--heat:${heat.toFixed(2)}"`;
    return `<td role="gridcell" class="${heat === undefined ? state : "heat"}"${colour} tabindex="${first ? "0" : "-1"}" aria-label="${xml(text)}">${xml(content)}</td>`;
  };
  return [
    `<div class="scroll"><table role="grid" class="grid${sizeOf(nodes.length)}" aria-labelledby="${id}"><caption id="${id}">${xml(caption)}</caption>`,
    `<thead><tr><td></td>${nodes.map((node) => `<th scope="col"><span>${xml(node)}</span></th>`).join("")}</tr></thead><tbody>`,
    ...nodes.map(
      (from, row) =>
        `<tr><th scope="row">${xml(from)}</th>${nodes.map((to, column) => cell(from, to, row === 0 && column === 0)).join("")}</tr>`,
    ),
    `</tbody></table></div><output class="told" aria-live="polite">Hover a cell, or walk by the arrow keys.</output>`,
  ];
}

/** Nodes from which on a table of them has small cells, and cells without a text. */
const [SMALL, TINY] = [12, 40];

function sizeOf(nodes: number): string {
  return nodes > TINY ? " small tiny" : nodes > SMALL ? " small" : "";
}

function matrix({ nodes }: Report, findings: readonly Finding[]): string[] {
  const between = new Set<string>(CLAIMS.filter(({ betweenNodes }) => betweenNodes === true).map(({ id }) => id));
  const byPair = new Map<string, Finding[]>();
  for (const finding of findings.filter(({ claim }) => between.has(claim))) {
    const key = `${nodeOf(finding.source)} ${nodeOf(finding.target)}`;
    byPair.set(key, [...(byPair.get(key) ?? []), finding]);
  }
  const cellOf = (from: string, to: string): Cell => {
    const own = byPair.get(`${from} ${to}`) ?? [];
    const failed = own.filter(({ status }) => status === "failed");
    const passed = own.filter(({ status }) => status === "passed").length;
    const claimsOf = [...new Set(failed.map(({ claim }) => claim))].join(", ");
    const counts = `${from} to ${to}: ${String(passed)} of ${String(own.length)} proofs hold`;
    return own.length === 0
      ? { state: "none", text: `${from} to ${to}: not asked` }
      : failed.length > 0
        ? { state: "bad", text: `${counts}; failed: ${claimsOf}`, content: "✗" }
        : passed < own.length
          ? { state: "open", text: `${counts}; the others are blocked or do not apply`, content: "–" }
          : { state: "good", text: counts, content: "✓" };
  };
  return [
    "<section><h2>Who reaches whom</h2>",
    ...grid("matrix", "from (row) to (column)", nodes, cellOf),
    "</section>",
  ];
}

function latencies({ nodes, pairs }: Report): string[] {
  const measured = pairs.flatMap(({ milliseconds }) => (milliseconds === undefined ? [] : [milliseconds]));
  if (measured.length === 0) {
    return [];
  }
  const most = Math.max(...measured);
  const byPair = new Map(pairs.map((pair) => [`${nodeOf(pair.source)} ${nodeOf(pair.target)}`, pair]));
  const cellOf = (from: string, to: string): Cell => {
    const pair = byPair.get(`${from} ${to}`);
    if (pair?.milliseconds === undefined) {
      return { state: "none", text: `${from} to ${to}: not measured` };
    }
    const { milliseconds, lost } = pair;
    const text = `${from} to ${to}: ${milliseconds.toFixed(3)} ms, ${(100 * lost).toFixed(1)} % lost`;
    return {
      state: "good",
      text,
      content: nodes.length > SMALL ? "" : milliseconds.toFixed(3),
      heat: milliseconds / most,
    };
  };
  const caption = `milliseconds that an answer took, from (row) to (column); the strongest colour is ${most.toFixed(3)} ms`;
  return ["<section><h2>Latency</h2>", ...grid("latency", caption, nodes, cellOf), "</section>"];
}

function failures({ problems }: Report): string[] {
  const groups = CLAIMS.flatMap(({ id }) => {
    const own = problems.filter(({ claim, status }) => claim === id && status === "failed");
    const more = own.length - LISTED;
    return own.length === 0
      ? []
      : [
          `<details><summary><code>${id}</code>: ${String(own.length)} failed</summary><ul>`,
          ...own.slice(0, LISTED).map((finding) => `<li>${xml(describe(finding))}</li>`),
          ...(more > 0 ? [`<li>and ${String(more)} more</li>`] : []),
          "</ul></details>",
        ];
  });
  return groups.length === 0 ? [] : ["<section><h2>Failures</h2>", ...groups, "</section>"];
}
