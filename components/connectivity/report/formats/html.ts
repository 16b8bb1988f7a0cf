import { CLAIMS } from "../../claims";
import type { Hop } from "../../cause/cause";
import { describe, type Finding } from "../finding";
import { claimsIn, numberOf, type Report, rowOf } from "../report";
import { causeText, partLine, verdictText } from "../table";
import { type Cell, grid, Rows, SMALL } from "./grid";
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
    ...coverage(report),
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

/** What was asked and what was not, where that is not all. */
function coverage({ part, coverage: { kind, seed = 0, asked, notAsked } }: Report): string[] {
  const item = (what: string) => (text: string) => `<li>${what}: ${xml(text)}</li>`;
  return kind === "full" || part !== undefined
    ? []
    : [
        `<section><h2>A sample</h2><p>The seed ${String(seed)} drew it: the same nodes and seed give the same requests.</p><ul>`,
        ...asked.map(item("asked")),
        ...notAsked.map(item("not asked")),
        "</ul></section>",
      ];
}

function matrix({ nodes }: Report, findings: readonly Finding[]): string[] {
  const between = new Set<string>(CLAIMS.filter(({ betweenNodes }) => betweenNodes === true).map(({ id }) => id));
  const rows = new Rows(nodes);
  const found = rows.inCells(
    findings.filter(({ claim }) => between.has(claim)),
    () => ({ all: 0, passed: 0, failed: new Set<string>() }),
    (cell, { claim, status }) => {
      cell.all += 1;
      cell.passed += status === "passed" ? 1 : 0;
      if (status === "failed") {
        cell.failed.add(claim);
      }
    },
  );
  const rest = restOf(findings, rows);
  const cellOf = (row: number, column: number): Cell => {
    const pair = `${rows.names[row] ?? ""} to ${rows.names[column] ?? ""}`;
    const cell = found(row, column);
    if (!cell) {
      const told = rest.get(row);
      return told === undefined
        ? { state: "none", text: `${pair}: not asked` }
        : told
          ? { state: "good", text: `${pair}: a pod is reached, and nothing more was asked`, content: "✓" }
          : {
              state: "bad",
              text: `${pair}: among those that are not told one by one, of which some failed`,
              content: "✗",
            };
    }
    const { all, passed, failed } = cell;
    const counts = `${pair}: ${String(passed)} of ${String(all)} proofs hold`;
    return failed.size > 0
      ? { state: "bad", text: `${counts}; failed: ${[...failed].join(", ")}`, content: "✗" }
      : passed < all
        ? { state: "open", text: `${counts}; the others are blocked or do not apply`, content: "–" }
        : { state: "good", text: counts, content: "✓" };
  };
  return [
    "<section><h2>Who reaches whom</h2>",
    ...grid("matrix", "from (row) to (column)", rows, cellOf),
    "</section>",
  ];
}

/** Whether all passed that findings tell of together, by the row of who asked: what cells without a finding of their own stand for. */
function restOf(findings: readonly Finding[], rows: Rows): ReadonlyMap<number, boolean> {
  const rest = new Map<number, boolean>();
  for (const { claim, source, count, status } of findings) {
    const row = claim === "pod-to-pod" && count !== undefined ? rows.placeOf(source) : undefined;
    if (row !== undefined) {
      rest.set(row, (rest.get(row) ?? true) && status === "passed");
    }
  }
  return rest;
}

function latencies({ nodes, pairs }: Report): string[] {
  const rows = new Rows(nodes);
  const measured = rows.inCells(
    pairs.filter(({ milliseconds }) => milliseconds !== undefined),
    () => ({ count: 0, milliseconds: 0, lost: 0 }),
    (cell, { milliseconds = 0, lost }) => {
      cell.count += 1;
      cell.milliseconds += milliseconds;
      cell.lost += lost;
    },
  );
  const all = rows.names.flatMap((_, row) =>
    rows.names.flatMap((__, column) => {
      const { milliseconds, count } = measured(row, column) ?? { milliseconds: 0, count: 0 };
      return count === 0 ? [] : [milliseconds / count];
    }),
  );
  if (all.length === 0) {
    return [];
  }
  const most = Math.max(...all);
  const cellOf = (row: number, column: number): Cell => {
    const pair = `${rows.names[row] ?? ""} to ${rows.names[column] ?? ""}`;
    const cell = measured(row, column);
    if (!cell) {
      return { state: "none", text: `${pair}: not measured` };
    }
    const milliseconds = cell.milliseconds / cell.count;
    const text = `${pair}: ${milliseconds.toFixed(3)} ms, ${((100 * cell.lost) / cell.count).toFixed(1)} % lost`;
    return {
      state: "good",
      text,
      content: rows.names.length > SMALL ? "" : milliseconds.toFixed(3),
      heat: milliseconds / most,
    };
  };
  const caption = `milliseconds that an answer took, from (row) to (column); the strongest colour is ${most.toFixed(3)} ms`;
  return ["<section><h2>Latency</h2>", ...grid("latency", caption, rows, cellOf), "</section>"];
}

function failures({ problems, claims: counts }: Report): string[] {
  const groups = CLAIMS.flatMap(({ id }) => {
    const own = problems.filter(({ claim, status }) => claim === id && status === "failed");
    const { failed } = counts[id];
    const more = failed - numberOf(own.slice(0, LISTED));
    return own.length === 0
      ? []
      : [
          `<details><summary><code>${id}</code>: ${String(failed)} failed</summary><ul>`,
          ...own.slice(0, LISTED).map((finding) => `<li>${xml(describe(finding))}</li>`),
          ...(more > 0 ? [`<li>and ${String(more)} more</li>`] : []),
          "</ul></details>",
        ];
  });
  return groups.length === 0 ? [] : ["<section><h2>Failures</h2>", ...groups, "</section>"];
}
