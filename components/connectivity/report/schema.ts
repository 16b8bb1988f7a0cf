import { z } from "zod";
import { type ClaimId, CLAIMS } from "../claims";
import { LISTED, type Report, REPORT_VERSION } from "./report";

const count = z.int().min(0);
const counts = z.strictObject({ passed: count, failed: count, blocked: count, "not-applicable": count });
const claim = z.enum(CLAIMS.map(({ id }) => id) as [ClaimId, ...ClaimId[]]);
const measured = { lost: z.number().min(0).max(1), milliseconds: z.number().min(0).optional() };

/** The shape of a report. Whoever reads one goes by its `version`. */
export const reportSchema = z
  .strictObject({
    version: z.literal(REPORT_VERSION),
    passed: z.boolean().describe("Whether every claim holds"),
    network: z.string().describe("Id of the network under test"),
    nodes: z.array(z.string()).describe("Names of the nodes"),
    seconds: z.number().min(0).describe("Seconds that the run took"),
    claims: z.strictObject(Object.fromEntries(CLAIMS.map(({ id }) => [id, counts])) as Record<ClaimId, typeof counts>),
    causes: z
      .array(
        z.strictObject({
          place: z.string().describe("The node that it is on, or the Service or pod that it is about"),
          hop: z.enum(["pod", "bridge", "routes", "rules", "link", "service", "dns", "as-made"]),
          text: z.string(),
          example: z.string().optional().describe("Whose packets showed it"),
          proofs: count.describe("Failed proofs that it explains"),
        }),
      )
      .describe("Why proofs failed, the cause of most of them first"),
    problems: z
      .array(
        z.strictObject({
          claim,
          source: z.string(),
          target: z.string(),
          protocol: z.enum(["TCP", "UDP", "ICMP"]).optional(),
          count: count
            .optional()
            .describe("Number of proofs that it stands for, which ended alike; 1 where it is not there"),
          status: z.enum(["passed", "failed", "blocked", "not-applicable"]),
          expected: z.string(),
          seen: z.string(),
          measured: z.strictObject(measured).optional(),
        }),
      )
      .describe(`Proofs that failed or were blocked, failures first; of each claim up to ${String(LISTED)}`),
    unlisted: count.describe("Number of further proofs that failed or were blocked, which claims counts too"),
    notApplicable: z.array(z.strictObject({ claim, count, reason: z.string() })),
    pairs: z
      .array(z.strictObject({ source: z.string(), target: z.string(), ...measured }))
      .describe(
        "What was measured between nodes: the part of the packets that was lost, and milliseconds for an answer",
      ),
    warnings: z.array(z.string()),
    part: z
      .strictObject({ claims: z.array(claim), nodes: z.array(z.string()) })
      .optional()
      .describe("Where only a part was asked: its claims, and the nodes that what was asked began or ended at"),
    coverage: z
      .strictObject({
        kind: z.enum(["full", "sampled"]),
        seed: count.optional().describe("What drew the sample: the same nodes and seed give the same requests"),
        peers: count.optional().describe("Other nodes of which each node asks everything"),
        asked: z.array(z.string()),
        notAsked: z.array(z.string()),
      })
      .describe("What was asked between nodes, and what was not"),
  })
  .describe("Report of podnet's connectivity check") satisfies z.ZodType<Report>;

/** The JSON Schema of a report, as docs/report.schema.json has it. */
export function reportJsonSchema(): object {
  return z.toJSONSchema(reportSchema);
}
