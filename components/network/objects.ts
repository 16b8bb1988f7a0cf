import * as core from "@pulumi/kubernetes/core/v1";
import * as rbac from "@pulumi/kubernetes/rbac/v1";
import type * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/Cluster";
import type { Prepared } from "./prepare";

type Rules = kubernetes.types.input.rbac.v1.PolicyRule[];

/** Makes the objects that every agent needs, in one way for all networks. */
export class AgentObjects {
  /** Options of each of a network's objects. */
  readonly options: pulumi.CustomResourceOptions;

  /** `network` is the parent of the resources, whose names its own begins. */
  constructor(
    readonly name: string,
    network: pulumi.Resource,
    readonly cluster: Cluster,
    readonly prepared: Prepared,
  ) {
    this.options = cluster.objectOptions(network);
  }

  /** A ServiceAccount with a ClusterRole of these rules, all of one name. */
  account(
    name: string,
    namespace: pulumi.Input<string>,
    rules: Rules,
    labels: Readonly<Record<string, string>> = {},
    suffix = "",
  ): pulumi.Resource[] {
    const account = new core.ServiceAccount(
      `${this.name}${suffix}-account`,
      { metadata: { name, namespace, labels } },
      this.options,
    );
    const role = new rbac.ClusterRole(
      `${this.name}${suffix}-role`,
      { metadata: { name, labels }, rules },
      this.options,
    );
    const binding = new rbac.ClusterRoleBinding(
      `${this.name}${suffix}-binding`,
      {
        metadata: { name, labels },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role.metadata.name },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      },
      this.options,
    );
    return [account, role, binding];
  }

  /**
   * Metadata of an agent's workload. Its pods come when the nodes get the network's label, which is later than the workload;
   * the network's last step waits for them, so the provider does not.
   */
  workload(name: string, namespace: pulumi.Input<string>, labels: Readonly<Record<string, string>>) {
    return {
      name,
      namespace,
      labels,
      annotations: { "podnet.dev/generation": this.prepared.generation },
    };
  }
}
