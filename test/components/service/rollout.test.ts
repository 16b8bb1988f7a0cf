import { expect, test } from "vitest";
import { type DeploymentObject, judgeRollout } from "../../../components/service/rollout";

const deployment = (status: Partial<DeploymentObject["status"]>): DeploymentObject => ({
  metadata: { generation: 2 },
  spec: { template: { spec: { containers: [] } } },
  status: { observedGeneration: 2, replicas: 3, updatedReplicas: 3, conditions: [], ...status },
});
const judged = (status: Partial<DeploymentObject["status"]>): string | undefined =>
  judgeRollout("deployment default/web", 3, deployment(status));

test.each([
  ["all pods are as declared", {}, undefined],
  ["its controller was not there yet", { observedGeneration: 1 }, "its controller has not seen the change yet"],
  ["some pods are missing", { updatedReplicas: 1, replicas: 3 }, "1 of 3 pods are as declared now"],
  ["pods of its earlier form are ready too", { replicas: 4 }, "1 pods of its earlier form are still there"],
  [
    "its pods are refused",
    { conditions: [{ type: "ReplicaFailure", status: "True", message: 'pods "web" is forbidden: exceeded quota' }] },
    'its pods are refused: pods "web" is forbidden: exceeded quota',
  ],
  ["its pods were refused before", { conditions: [{ type: "ReplicaFailure", status: "False" }] }, undefined],
])("a Deployment of which %s", (_, status, wait) => {
  expect(judged(status)).toBe(wait === undefined ? undefined : `deployment default/web: ${wait}`);
});
