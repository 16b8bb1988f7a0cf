import * as pulumi from "@pulumi/pulumi";
import { known } from "../args/known";
import { applyPhase } from "../node/phase";
import type { Parameters } from "../node/parameters";
import { KUBERNETES_VERSION } from "../node/releases";
import type { ValidCluster } from "./args";
import { digest } from "./changes";
import { noteChoice } from "./choice";
import { parseControlPlane } from "./kubeconfig";
import type { ClusterNode } from "./nodes";

/** What kubeadm made of a cluster's nodes. */
export interface Joined {
  /** Kubeconfig of the administrator, by the host that podnet reaches the machine at: a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** Hash of the certificate authority's key: another cluster has another. */
  readonly identity: pulumi.Output<string>;
  /** API server as `host:port`, for the nodes. */
  readonly endpoint: pulumi.Output<string>;
  /** The command after which no node is in the cluster that is not declared. */
  readonly members: pulumi.Resource;
  /** The commands after which every node is registered with its pod CIDR, and the cluster has its settings. */
  readonly registered: readonly pulumi.Resource[];
  /** A text that becomes another one when a node was registered anew. */
  readonly registration: pulumi.Output<string>;
}

/** What kubeadm is told of one node beside its addresses. */
function nodeParameters(valid: ValidCluster, nodeName: string): Parameters {
  const node = valid.nodes[nodeName];
  return {
    "internal-ip": node?.internalIp,
    "kubelet-config": node?.kubeletConfig === undefined ? undefined : JSON.stringify(node.kubeletConfig),
    "ignore-preflight-error": node?.ignorePreflightErrors,
  };
}

/** Members as lines of parameters: `NAME POD-CIDR`, in the order of their names. */
export function memberLinesOf(podCidrs: Readonly<Record<string, string>>): string[] {
  return Object.entries(podCidrs)
    .map(([nodeName, podCidr]) => `${nodeName} ${podCidr}`)
    .sort();
}

function initControlPlane(
  parent: pulumi.Resource,
  name: string,
  valid: pulumi.Output<ValidCluster>,
  { nodeName, handle, installed, podCidr }: ClusterNode,
): { readonly resource: pulumi.Resource; readonly answer: pulumi.Output<string> } {
  const { resource, answer } = applyPhase(
    `${name}-${nodeName}-init`,
    handle,
    {
      phase: "init",
      parameters: pulumi
        .all([valid, podCidr, handle.connection.host])
        .apply(([known, nodePodCidr, host]): Parameters => ({
          cluster: known.clusterName,
          kubernetes: KUBERNETES_VERSION,
          ...nodeParameters(known, nodeName),
          "pod-cidr": known.podCidr,
          "node-pod-cidr": nodePodCidr,
          "service-cidr": known.serviceCidr,
          "dns-domain": known.dnsDomain,
          "cert-san": [host.toLowerCase()],
        })),
      secretAnswer: true,
      // Its answer is the provider's kubeconfig: not knowing it, a preview would say that all objects are replaced. A control
      // plane that works is left as it is anyway.
      withoutFiles: true,
    },
    { parent, dependsOn: installed, customTimeouts: { create: "20m" } },
  );
  return { resource, answer: pulumi.secret(answer.apply((lines) => lines.join(""))) };
}

/** The members' addresses as lines of parameters: `NAME ADDRESS`, in the order of their names. */
function addressLinesOf({ nodes }: ValidCluster): string[] {
  return Object.entries(nodes)
    .map(([nodeName, { internalIp }]) => `${nodeName} ${internalIp}`)
    .sort();
}

/**
 * Makes the nodes a cluster: the control plane first, then the members are held to the declared ones, the workers join, and
 * each Node object gets its declared pod CIDR.
 */
export function joinNodes(
  parent: pulumi.Resource,
  name: string,
  valid: pulumi.Output<ValidCluster>,
  memberLines: pulumi.Output<string[]>,
  control: ClusterNode,
  workers: readonly ClusterNode[],
  gone: readonly ClusterNode[],
): Joined {
  const init = initControlPlane(parent, name, valid, control);
  const made = pulumi.secret(
    pulumi
      .all([init.answer, control.handle.connection.host])
      .apply(([answer, host]) => parseControlPlane(answer, host)),
  );
  const identity = pulumi.unsecret(made.caCertHash);
  const endpoint = pulumi.interpolate`${control.internalIp}:6443`;
  const members = applyPhase(
    `${name}-members`,
    control.handle,
    {
      phase: "members",
      parameters: pulumi
        .all([memberLines, valid])
        .apply(([member, known]) => ({ member, address: addressLinesOf(known) })),
      // Another control plane knows no token of this one. Nothing is replaced for it: an undo would dial the machine that went.
      again: identity,
    },
    { parent, dependsOn: init.resource },
  );
  // A function: Pulumi walks through a value at each of its steps, and the whole cluster would be walked for each node.
  const parametersOf = valid.apply((known) => (nodeName: string) => nodeParameters(known, nodeName));
  const joins = [...workers, ...gone].map(({ nodeName, handle, installed, podCidr }) =>
    applyPhase(
      `${name}-${nodeName}-join`,
      handle,
      {
        phase: "join",
        secret: true,
        parameters: pulumi
          .all([parametersOf, endpoint, made.token, made.caCertHash, podCidr])
          .apply(([of, at, bootstrapToken, caCertHash, nodePodCidr]): Parameters => ({
            ...of(nodeName),
            "node-pod-cidr": nodePodCidr,
            endpoint: at,
            token: bootstrapToken,
            "ca-cert-hash": caCertHash,
          })),
      },
      // The token is valid after it. Nothing replaces it: an undo would dial the address that the machine had before.
      { parent, dependsOn: [installed, members.resource], deleteBeforeReplace: true },
    ),
  );
  const settings = valid.apply(({ kubeProxyMode, scheduleOnControlPlane }) => ({
    "kube-proxy-mode": kubeProxyMode,
    schedulable: scheduleOnControlPlane ? "yes" : "no",
  }));
  const choice = noteChoice(
    `${name}-choice`,
    settings.apply((chosen) => JSON.stringify(chosen)),
    { parent },
  );
  const configured = applyPhase(
    `${name}-configure`,
    control.handle,
    { phase: "configure", parameters: settings, again: choice.at },
    { parent, dependsOn: init.resource },
  );
  const living = joins.slice(0, workers.length);
  const registered = applyPhase(
    `${name}-register`,
    control.handle,
    {
      phase: "register",
      parameters: memberLines.apply((member) => ({ member })),
      // The Node object of a node that joined anew has no pod CIDR and no labels, whatever its name and addresses.
      again: digest(living.map(({ resource }) => known(resource.stdout))),
    },
    { parent, dependsOn: [members.resource, ...joins.map(({ resource }) => resource)] },
  );
  return {
    kubeconfig: made.kubeconfig,
    identity,
    endpoint,
    members: members.resource,
    registered: [configured.resource, registered.resource],
    registration: digest([known(registered.resource.stdout)]),
  };
}
