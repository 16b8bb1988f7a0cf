import { askAll, asker } from "../components/connectivity/asking";
import { causesOf } from "../components/connectivity/cause/causes";
import { investigate } from "../components/connectivity/cause/investigate";
import { CLAIMS, type ClaimId } from "../components/connectivity/claims";
import { coverageOf } from "../components/connectivity/coverage";
import { factsOf } from "../components/connectivity/facts";
import { judge, prove } from "../components/connectivity/judge";
import { planRequests } from "../components/connectivity/plan";
import { findingsOf } from "../components/connectivity/report/finding";
import { html } from "../components/connectivity/report/formats/html";
import { junit } from "../components/connectivity/report/formats/junit";
import { markdown } from "../components/connectivity/report/formats/markdown";
import { prometheus } from "../components/connectivity/report/formats/prometheus";
import { summarize } from "../components/connectivity/report/report";
import { palette, renderTable } from "../components/connectivity/report/table";
import { sizeOf } from "../components/connectivity/request";
import { statusesOf } from "../components/connectivity/statuses";
import { topologyOf } from "../components/connectivity/topology";
import { cpuSeconds, type Fault, Recorded } from "./recorded";

/** What one run of the check took and held, without the cluster. */
export interface Checked {
  readonly requests: number;
  readonly proofs: number;
  readonly failed: number;
  readonly causes: readonly string[];
  /** Seconds by the clock, with the pauses between rounds of asking and the writing of the recorded answers. */
  readonly seconds: number;
  /** Seconds of processors: of all of it, of each part, and of writing the recorded answers, which the others do not count. */
  readonly cpu: number;
  readonly parts: Readonly<Record<string, number>>;
  readonly recording: number;
  /** Most memory that it had resident, in MiB. */
  readonly memory: number;
  /** Bytes to the nodes and from them, and those of each form of the report. */
  readonly sent: number;
  readonly received: number;
  readonly sizes: Readonly<Record<string, number>>;
}

/** Claims whose own proof the recorded API server can serve. */
const PROVEN: readonly ClaimId[] = ["endpoints", "fresh-pod", "network-policy"];

async function run(count: number, fault: Fault): Promise<Checked> {
  const recorded = new Recorded(count, fault, 1);
  const parts: Record<string, number> = {};
  const started = performance.now();
  let [last, spent] = [0, 0];
  const done = (part: string): void => {
    const now = cpuSeconds();
    parts[part] = now - last - (recorded.spent - spent);
    if (process.env["PODNET_BENCH_HEAP"]) {
      const { heapUsed } = process.memoryUsage();
      const mib = [heapUsed / 2 ** 20, process.resourceUsage().maxRSS / 1024].map(Math.round);
      console.error(`${part}: ${String(parts[part])} s, ${mib.join(" MiB in use, at most ")} MiB`);
    }
    [last, spent] = [cpuSeconds(), recorded.spent];
  };
  const { input, pods } = recorded;
  const { seen, addresses } = recorded.discovered();
  const [client, shells, dns, listed] = [recorded.client(), recorded.shells(), recorded.dns(), recorded.listed()];
  const say = (): void => undefined;
  last = cpuSeconds();
  const coverage = coverageOf(input);
  const around = {
    api: { address: "10.96.0.1", port: 443 },
    dnsPods: dns.pods,
    outside: { port: 1, nonce: "", ways: {} },
  };
  const topology = topologyOf(input, pods, [], around, coverage);
  recorded.serve(topology.members.map(({ name }) => name));
  const requests = planRequests(topology);
  done("plan");
  const ask = asker(shells, seen);
  const answers = await askAll(ask, requests);
  done("ask and read answers");
  const statuses = await statusesOf(shells);
  done("statuses");
  const facts = factsOf(topology, { seen, addresses, statuses, requests, answers, pods: listed, dns });
  const judged = judge(facts);
  done("judge");
  const evidence = await investigate(facts, judged, { client, shells, ask, say });
  done("investigate");
  const verdicts = await prove(
    facts,
    judged,
    { client, ask, say },
    CLAIMS.filter(({ id }) => PROVEN.includes(id)),
  );
  done("prove");
  const causes = causesOf(verdicts, facts, evidence);
  done("causes");
  const findings = findingsOf(verdicts);
  const nodes = Object.keys(input.nodes);
  const report = summarize(findings, {
    nodes,
    network: "bridge",
    seconds: 1,
    warnings: [],
    causes,
    coverage: coverage.text(),
  });
  done("report");
  const sizes: Record<string, number> = {};
  const forms = {
    json: () => JSON.stringify(report),
    table: () => renderTable(report, palette(false)),
    html,
    junit,
    markdown,
    prometheus,
  };
  for (const [form, write] of Object.entries(forms)) {
    sizes[form] = write(report, findings).length;
    done(form);
  }
  const counts = Object.values(report.claims);
  return {
    requests: requests.reduce((sum, request) => sum + sizeOf(request), 0),
    proofs: counts.reduce((sum, { passed, failed, blocked }) => sum + passed + failed + blocked, 0),
    failed: counts.reduce((sum, { failed }) => sum + failed, 0),
    causes: causes.slice(0, 2).map(({ place, text, proofs }) => `${place}: ${text} (${String(proofs)})`),
    seconds: (performance.now() - started) / 1000,
    cpu: Object.values(parts).reduce((sum, part) => sum + part, 0),
    parts,
    recording: recorded.spent,
    memory: process.resourceUsage().maxRSS / 1024,
    sent: recorded.sent,
    received: recorded.received,
    sizes,
  };
}

const [count = "100", fault = "sound"] = process.argv.slice(2);
void run(Number(count), fault as Fault).then((checked) => console.log(JSON.stringify(checked)));
