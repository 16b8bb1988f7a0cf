import { claimsIn, type Report } from "../report";

/** The report as Prometheus' text, for a textfile collector or a push gateway (https://prometheus.io/docs/instrumenting/exposition_formats/). */
export function prometheus(report: Report): string {
  const { claims, pairs, network } = report;
  return [
    ...metric("podnet_check_passed", "Whether every claim holds, 1 or 0.", [[{ network }, report.passed ? 1 : 0]]),
    ...metric("podnet_check_seconds", "Seconds that the check took.", [[{ network }, report.seconds]]),
    ...metric(
      "podnet_proof_total",
      "Proofs of the last run by claim and result.",
      claimsIn(report).flatMap(({ id }) =>
        Object.entries(claims[id]).map(([result, count]) => [{ network, claim: id, result }, count] as const),
      ),
    ),
    ...metric(
      "podnet_loss_ratio",
      "Part of the packets that was lost between two pods, 0 to 1.",
      pairs.map(({ source, target, lost }) => [{ network, source, target }, lost] as const),
    ),
    ...metric(
      "podnet_latency_milliseconds",
      "Milliseconds that an answer took between two pods, on average.",
      pairs.flatMap(({ source, target, milliseconds }) =>
        milliseconds === undefined ? [] : [[{ network, source, target }, milliseconds] as const],
      ),
    ),
    "",
  ].join("\n");
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** A gauge with its samples; nothing where there are none. */
function metric(name: string, help: string, samples: readonly Sample[]): string[] {
  const text = (labels: Sample[0]): string =>
    Object.entries(labels)
      .map(([key, value]) => `${key}="${value.replaceAll(/[\\"]/g, "\\$&").replaceAll("\n", "\\n")}"`)
      .join(",");
  return samples.length === 0
    ? []
    : [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} gauge`,
        ...samples.map(([labels, value]) => `${name}{${text(labels)}} ${String(value)}`),
      ];
}
