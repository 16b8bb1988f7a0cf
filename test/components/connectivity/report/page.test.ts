import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Coverage } from "../../../../components/connectivity/coverage";
import { html } from "../../../../components/connectivity/report/formats/html";
import { type Report, summarize } from "../../../../components/connectivity/report/report";
import { findingsOf, FULL, silent } from "../world";

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
});
afterAll(() => browser.close());

/** The page of a run on these nodes, of which the second does not reach the third. */
function pageOf(nodes: readonly string[], more: Partial<Pick<Report, "causes" | "warnings">> = {}): string {
  const [, from, to] = nodes;
  const findings = findingsOf({
    nodes,
    notApplicable: [{ promise: "policy", reason: "no <engine>" }],
    answer: ({ claim, node, targetNode }, good) =>
      claim === "pod-to-pod" && node === from && targetNode === to ? silent : good,
  });
  const context = { nodes, network: "bridge", seconds: 3.2, warnings: [], causes: [], coverage: FULL, ...more };
  return html(summarize(findings, context), findings);
}

const NODES = ["cp", "w1", "w2"];
const CAUSES: Report["causes"] = [
  { place: "w1", hop: "routes", text: "the route to <10.244.2.0/24> is missing", proofs: 8 },
  { place: "w2", hop: "as-made", text: "kubelet is inactive", proofs: 0 },
];

/** Opens a page in the browser, which may load nothing but it. */
async function open(
  text: string,
  colorScheme: "light" | "dark" = "light",
  width = 1300,
): Promise<{ page: Page; errors: string[] }> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, offline: true });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  page.on("request", (request) => errors.push(`it asks for ${request.url()}`));
  await page.setContent(text);
  return { page, errors };
}

test("the page has the verdict, the causes with the broken hop marked, and each claim with its counts", async () => {
  const { page, errors } = await open(pageOf(NODES, { causes: CAUSES, warnings: ["w1: <mended>"] }));
  expect(await page.locator("h1").textContent()).toMatch(/^the network is broken \(\d+ of \d+ proofs, 3\.2 s\)$/);
  expect(await page.locator("h2").allTextContents()).toEqual([
    "Causes",
    "Warnings",
    "Claims",
    "Who reaches whom",
    "Latency",
    "Failures",
  ]);
  expect(await page.locator(".causes > li > p").allTextContents()).toEqual([
    "w1: the route to <10.244.2.0/24> is missing (8 proofs failed by it)",
    "w2: kubelet is inactive",
  ]);
  expect(await page.locator("ol.way > li").allTextContents()).toEqual([
    "w1",
    "pod",
    "bridge",
    "node's routes broken here",
    "node's rules",
    "link",
    "other node",
  ]);
  expect(await page.locator("ol.way > li[aria-current=true]").count()).toBe(1);
  const row = (claim: string) =>
    page
      .locator("tr", { has: page.locator(`th > code:text-is("${claim}")`) })
      .locator("td")
      .allTextContents();
  expect(await row("pod-to-pod")).toEqual([
    "failed",
    "52/60",
    "8",
    "",
    "every pod reaches every pod, on its node and across nodes",
  ]);
  expect(await row("network-policy")).toEqual(["n/a", "", "", "", "no <engine>"]);
  expect(await page.locator("details summary").allTextContents()).toEqual(["pod-to-pod: 8 failed"]);
  expect(errors).toEqual([]);
});

test("the table of nodes tells what is hovered, and keys walk through it from the one cell that a tab reaches", async () => {
  const { page } = await open(pageOf(NODES));
  const grid = page.locator("table.grid").first();
  const told = page.locator("output").first();
  expect(await grid.locator("td[role=gridcell]").allTextContents()).toEqual([
    "✓",
    "✓",
    "✓",
    "✓",
    "✓",
    "✗",
    "✓",
    "✓",
    "✓",
  ]);
  await grid.locator("td[role=gridcell]").nth(5).hover();
  expect(await told.textContent()).toBe("w1 to w2: 20 of 36 proofs hold; failed: pod-to-pod");
  expect(await page.locator("table.grid td[tabindex='0']").count()).toBe(2);
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  expect(await told.textContent()).toMatch(/^w2 to w1: /);
  expect(await page.evaluate("document.activeElement.cellIndex")).toBe(2);
});

test.each([20, 100])("a table of %i nodes is on the screen whole, in light and in dark", async (count) => {
  const nodes = Array.from({ length: count }, (_, index) => `node-${String(index)}`);
  const text = pageOf(nodes);
  for (const scheme of ["light", "dark"] as const) {
    const { page, errors } = await open(text, scheme);
    const box = await page.locator("table.grid").first().boundingBox();
    expect(box?.width).toBeLessThan(1300);
    expect(await page.locator("table.grid").first().locator("td[role=gridcell]").count()).toBe(count * count);
    const colours = await page.evaluate(
      "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]",
    );
    expect(colours).toEqual(
      scheme === "light" ? ["rgb(28, 32, 36)", "rgb(255, 255, 255)"] : ["rgb(230, 233, 236)", "rgb(20, 23, 26)"],
    );
    expect(errors).toEqual([]);
  }
});

test("a proven network's page has no causes and no failures", async () => {
  const findings = findingsOf({ nodes: NODES });
  const report = summarize(findings, {
    nodes: NODES,
    network: "bridge",
    seconds: 3,
    warnings: [],
    causes: [],
    coverage: FULL,
  });
  const { page } = await open(html(report, findings));
  expect(await page.locator("h2").allTextContents()).toEqual(["Claims", "Who reaches whom", "Latency"]);
});

test("of more than a hundred nodes a cell stands for neighbours, and tells of a sample what was asked", async () => {
  const nodes = Array.from({ length: 150 }, (_, index) => `node-${String(index)}`);
  const findings = findingsOf({
    nodes,
    answer: ({ claim, node, targetNode }, good) =>
      claim === "pod-to-pod" && node === "node-20" && targetNode === "node-91" ? silent : good,
  });
  const coverage = new Coverage(nodes, "sampled", 1).text();
  const context = { nodes, network: "bridge", seconds: 3.2, warnings: [], causes: [], coverage };
  const { page, errors } = await open(html(summarize(findings, context), findings));
  const grid = page.locator("table.grid").first();
  expect(await grid.locator("td[role=gridcell]").count()).toBe(75 * 75);
  const bad = grid.locator("td.bad");
  expect(await bad.count()).toBe(1);
  expect(await bad.getAttribute("aria-label")).toMatch(
    /^node-20 … node-21 to node-90 … node-91: \d+ of \d+ proofs hold; failed: pod-to-pod$/,
  );
  expect(await page.locator("h2").allTextContents()).toContain("A sample");
  expect(errors).toEqual([]);
});
