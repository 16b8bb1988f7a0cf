import * as command from "@pulumi/command";
import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { selectedServiceArgs } from "./args";
import { endpointsOutput } from "./input";
import { SERVICE_LABEL } from "./selector";
import { InvalidInputError } from "../args/validate";
import { checked } from "../args/checked";
import type { Cluster } from "../cluster/Cluster";
import { hereLine } from "../machine/here";
import { type Labels, matches } from "../kubernetes/selector";

/** What describes a Service and the workload behind it. */
export interface SelectedServiceArgs {
  cluster: Cluster;
  /** Labels that select the pods; the workload's pods get them, so that the two cannot disagree. */
  selector: Record<string, string>;
  /** The workload's image. Without one there is no workload: the Service stands in front of pods that somebody else deploys. */
  image?: pulumi.Input<string>;
  /** Arguments of the image's entrypoint. */
  args?: pulumi.Input<pulumi.Input<string>[]>;
  /** Number of pods; 1 by default. */
  replicas?: pulumi.Input<number>;
  /** Port of the Service. */
  port: pulumi.Input<number>;
  /** Port of the pods; the Service's by default. */
  targetPort?: pulumi.Input<number>;
  /** `TCP`, the default, or `UDP`. */
  protocol?: pulumi.Input<string>;
  /** Namespace, which exists; `default` by default. */
  namespace?: string;
  /** Name of the Service; the resource's name by default. */
  serviceName?: string;
  /** Seconds until ready endpoints are given up on; 120 by default. */
  timeout?: number;
}

/**
 * A Service and its workload, built from one selector. It exists once its endpoints are its own ready pods: a selector that
 * matches nothing, or pods of another owner, is an error.
 */
export class SelectedService extends pulumi.ComponentResource {
  readonly serviceName: string;
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly clusterIP: pulumi.Output<string>;
  readonly ports: pulumi.Output<{ port: number; targetPort: number; protocol: string }[]>;
  /** Names of the pods behind the Service, sorted. */
  readonly endpoints: pulumi.Output<string[]>;
  /** Whether the Service's own workload is behind it. */
  readonly ownsPods: boolean;

  constructor(name: string, args: SelectedServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("podnet:index:SelectedService", name, {}, opts);
    const { cluster, selector } = args;
    const serviceName = args.serviceName ?? name;
    const namespace = args.namespace ?? "default";
    const valid = checked("SelectedService args", selectedServiceArgs, {
      serviceName,
      namespace,
      selector,
      image: args.image,
      args: args.args,
      replicas: args.replicas,
      port: args.port,
      targetPort: args.targetPort ?? args.port,
      protocol: args.protocol ?? "TCP",
    });
    this.ownsPods = args.image !== undefined;
    const podLabels = { ...selector, [SERVICE_LABEL]: serviceName };
    claimSelector(cluster, { namespace, serviceName, selector, podLabels: this.ownsPods ? podLabels : undefined });
    const options = { parent: this, provider: cluster.provider, deletedWith: cluster.deletedWith };
    const labels = { "app.kubernetes.io/managed-by": "podnet", [SERVICE_LABEL]: serviceName };
    const service = new core.Service(
      `${name}-service`,
      {
        metadata: {
          name: serviceName,
          namespace,
          labels,
          // The provider takes a Service without endpoints for ready; podnet's own check below does not.
          annotations: { "pulumi.com/skipAwait": "true" },
        },
        spec: {
          type: "ClusterIP",
          selector,
          ports: [
            {
              name: "main",
              port: valid.port,
              targetPort: valid.targetPort,
              protocol: valid.protocol,
            },
          ],
        },
      },
      { ...options, deleteBeforeReplace: true },
    );
    const workload =
      args.image === undefined
        ? undefined
        : new apps.Deployment(
            `${name}-workload`,
            {
              metadata: { name: serviceName, namespace, labels },
              spec: {
                replicas: valid.apply(({ replicas }) => replicas ?? 1),
                selector: { matchLabels: selector },
                template: {
                  metadata: { labels: podLabels },
                  spec: {
                    // Pods of one service on different nodes are what makes it survive one.
                    topologySpreadConstraints: [
                      {
                        maxSkew: 1,
                        topologyKey: "kubernetes.io/hostname",
                        whenUnsatisfiable: "ScheduleAnyway",
                        labelSelector: { matchLabels: selector },
                      },
                    ],
                    containers: [
                      {
                        name: "main",
                        image: valid.apply(({ image }) => image ?? ""),
                        args: valid.apply(({ args }) => args ?? []),
                        ports: [{ containerPort: valid.targetPort, protocol: valid.protocol }],
                        ...(args.protocol === "UDP"
                          ? {}
                          : { readinessProbe: { tcpSocket: { port: valid.targetPort }, periodSeconds: 2 } }),
                      },
                    ],
                  },
                },
              },
            },
            { ...options, deleteBeforeReplace: true, customTimeouts: { create: "3m", update: "3m" } },
          );
    const check = new command.local.Command(
      `${name}-endpoints`,
      {
        create: hereLine("endpoints"),
        stdin: pulumi.secret(
          pulumi.all([cluster.kubeconfig, valid]).apply(([kubeconfig, { replicas }]) =>
            JSON.stringify({
              kubeconfig,
              namespace,
              name: serviceName,
              selector,
              ...(this.ownsPods && { replicas: replicas ?? 1 }),
              timeout: args.timeout ?? 120,
            }),
          ),
        ),
        triggers: [service.metadata.uid, workload?.metadata.generation ?? 0],
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.None,
      },
      { parent: this, dependsOn: workload ? [service, workload] : [service], deletedWith: cluster.deletedWith },
    );
    this.serviceName = serviceName;
    this.namespace = namespace;
    this.selector = selector;
    this.clusterIP = service.spec.clusterIP;
    this.ports = valid.apply(({ port, targetPort, protocol }) => [{ port, targetPort, protocol }]);
    this.endpoints = check.stdout.apply((stdout) => endpointsOutput.parse(JSON.parse(stdout)).endpoints);
    this.registerOutputs({ clusterIP: this.clusterIP, ports: this.ports, endpoints: this.endpoints });
  }
}

/** One service's claim on pods. */
interface Claim {
  readonly namespace: string;
  readonly serviceName: string;
  readonly selector: Labels;
  /** Labels of its own workload's pods. */
  readonly podLabels?: Labels | undefined;
}

const claims = new WeakMap<Cluster, Claim[]>();

/** Notes a service, or throws when its selector and another service's workload of the same program would share pods. */
function claimSelector(cluster: Cluster, claim: Claim): void {
  const others = claims.get(cluster) ?? [];
  const text = JSON.stringify(claim.selector);
  const problems = others
    .filter(({ namespace }) => namespace === claim.namespace)
    .flatMap((other) => {
      if (other.podLabels && matches(claim.selector, other.podLabels)) {
        return [
          {
            path: "selector",
            message: `${text} matches the pods of service "${other.serviceName}"; add a label that only its own pods have`,
          },
        ];
      }
      if (claim.podLabels && matches(other.selector, claim.podLabels)) {
        return [
          {
            path: "selector",
            message: `pods with ${text} would be selected by service "${other.serviceName}" too; choose other labels`,
          },
        ];
      }
      return [];
    });
  if (problems.length > 0) {
    throw new InvalidInputError("SelectedService args", problems);
  }
  claims.set(cluster, [...others, claim]);
}
