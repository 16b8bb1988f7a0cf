import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../machine/Machine";
import type { Asked } from "../node/preflight";
import type { ValidCluster } from "./args";

/** What is declared of a cluster's machines, for the preflight. */
export interface DeclaredMachines {
  /** By the name of the node. */
  readonly machines: Readonly<Record<string, Asked>>;
  /** Nodes whose machine ends with its resource. */
  readonly passing: readonly string[];
  /** Nodes whose machine is gone for good. */
  readonly gone: readonly string[];
}

/** What the preflight asks of every machine, by what is declared of its node. */
export function declaredMachines(
  valid: pulumi.Output<ValidCluster>,
  owner: pulumi.Output<string>,
  machines: Readonly<Record<string, Machine>>,
): pulumi.Output<DeclaredMachines> {
  const named = (chosen: (machine: Machine) => boolean): string[] =>
    Object.entries(machines).flatMap(([nodeName, machine]) => (chosen(machine) ? [nodeName] : []));
  const passing = named(({ deletedWith }) => deletedWith !== undefined);
  const gone = named((machine) => machine.gone === true);
  return pulumi.all([valid, owner]).apply(([{ nodes, podCidr, serviceCidr }, id]): DeclaredMachines => ({
    machines: Object.fromEntries(
      Object.entries(nodes).map(([nodeName, node]): [string, Asked] => {
        const resolver = node.kubeletConfig?.["resolvConf"];
        return [
          nodeName,
          {
            owner: id,
            node: nodeName,
            role: node.role,
            "internal-ip": node.internalIp,
            "pod-cidr": podCidr,
            "service-cidr": serviceCidr,
            resolver: typeof resolver === "string" ? resolver : [],
            // Whoever declares it has the kubelet's own thresholds off.
            eviction: Object.hasOwn(node.kubeletConfig ?? {}, "evictionHard") ? "declared" : [],
            ignore: node.ignorePreflightErrors ?? [],
          },
        ];
      }),
    ),
    passing,
    gone,
  }));
}
