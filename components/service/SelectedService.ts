import * as command from "@pulumi/command";
import * as apps from "@pulumi/kubernetes/apps/v1";
import * as core from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { checked } from "../args/checked";
import { known } from "../args/known";
import { triggersOf } from "../args/triggers";
import { Changes } from "../cluster/changes";
import type { Cluster } from "../cluster/Cluster";
import { hereLine } from "../machine/here";
import {
  type PortProtocol,
  selectedServiceArgs,
  type ServiceType,
  type SessionAffinity,
  type ValidService,
  withDefaults,
} from "./args";
import { answersName, type CheckedService } from "./checked";
import { endpointsOutput } from "./input";
import { portsOf, serviceSpec, workloadSpec } from "./objects";
import { noteSelector } from "./rivals";
import { SERVICE_LABEL } from "./selector";

/** A port of a Service, as its arguments have it. */
export interface ServicePortArgs {
  /**
   * Name of the port, an IANA service name such as `http`. `main` by default where it is the only port; required where there
   * are several.
   */
  name?: pulumi.Input<string>;
  /** Port that clients use, 1 to 65535. */
  port: pulumi.Input<number>;
  /** Port that the pods listen on, 1 to 65535; `port` by default. */
  targetPort?: pulumi.Input<number>;
  /** Transport; `TCP` by default. */
  protocol?: pulumi.Input<PortProtocol>;
  /** Port of every node, 30000 to 32767, with the type `NodePort`; the cluster chooses one by default. */
  nodePort?: pulumi.Input<number>;
}

/** A port of a Service, as its outputs have it. */
export interface ServicePort {
  /** Name of the port. */
  readonly name: string;
  /** Port that clients use. */
  readonly port: number;
  /** Port that the pods listen on. */
  readonly targetPort: number;
  /** Transport. */
  readonly protocol: PortProtocol;
  /** Port of every node, with the type `NodePort`. */
  readonly nodePort?: number;
}

/** What describes a Service and the workload behind it. */
export interface SelectedServiceArgs {
  /** Cluster that the Service is in. */
  cluster: Cluster;
  /** Labels that select the pods, at least one; the workload's pods get them, so that the two cannot disagree. */
  selector: Record<string, string>;
  /** Ports, at least one; no two have the same name, or the same port and transport. */
  ports: ServicePortArgs[];
  /**
   * How the Service is reached: at a `ClusterIP`, the default; at a port of every node too (`NodePort`); or at its pods' own
   * addresses, which its name resolves to (`Headless`).
   */
  type?: pulumi.Input<ServiceType>;
  /** Whether all requests of one client go to one pod (`ClientIP`) or to any (`None`, the default). */
  sessionAffinity?: pulumi.Input<SessionAffinity>;
  /** Whether pods are endpoints before they are ready too; false by default. */
  publishNotReadyAddresses?: pulumi.Input<boolean>;
  /** The workload's image. Without one there is no workload: the Service stands in front of pods that somebody else deploys. */
  image?: pulumi.Input<string>;
  /** Arguments of the image's entrypoint; none by default. Without an image they have no effect, and a warning says so. */
  args?: pulumi.Input<pulumi.Input<string>[]>;
  /** Number of pods; 1 by default. Without an image it has no effect, and a warning says so. */
  replicas?: pulumi.Input<number>;
  /** Namespace, which exists; `default` by default. */
  namespace?: string;
  /** Name of the Service, a DNS label that starts with a letter; the resource's name by default. */
  serviceName?: string;
  /** Seconds until ready endpoints are given up on; 180 by default. */
  timeout?: number;
}

/**
 * A Service and its workload, built from one selector. It exists once its endpoints are its own ready pods: a selector that
 * matches nothing, or pods of another owner, is an error.
 */
export class SelectedService extends pulumi.ComponentResource {
  /**
   * Cluster that it is in.
   * @internal
   */
  readonly cluster: Cluster;
  /**
   * What was made of it, to tell whether an update changed any of it.
   * @internal
   */
  readonly changes: Changes;
  /** Name of the Service. */
  readonly serviceName: string;
  /** Namespace of the Service. */
  readonly namespace: string;
  /** Labels that select its pods. */
  readonly selector: Readonly<Record<string, string>>;
  /** Address in front of its pods; `None` where it is headless. */
  readonly clusterIP: pulumi.Output<string>;
  /** Its ports. */
  readonly ports: pulumi.Output<ServicePort[]>;
  /** Names of the pods behind the Service, sorted. */
  readonly endpoints: pulumi.Output<string[]>;
  /**
   * Whether the Service's own workload is behind it.
   * @internal
   */
  readonly ownsPods: boolean;
  /**
   * What the connectivity check has to know of it.
   * @internal
   */
  readonly checked: pulumi.Output<CheckedService>;

  constructor(name: string, args: SelectedServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    const changes = new Changes();
    super("podnet:index:SelectedService", name, {}, changes.noting(opts));
    this.changes = changes;
    const { cluster, selector } = args;
    this.cluster = cluster;
    this.serviceName = args.serviceName ?? name;
    this.namespace = args.namespace ?? "default";
    this.selector = selector;
    this.ownsPods = args.image !== undefined;
    const valid = this.#validated(args);
    noteSelector(cluster, {
      namespace: this.namespace,
      serviceName: this.serviceName,
      selector,
      podLabels: this.ownsPods ? { ...selector, [SERVICE_LABEL]: this.serviceName } : undefined,
    });
    for (const key of ["args", "replicas"] as const) {
      if (!this.ownsPods && args[key] !== undefined) {
        void pulumi.log.warn(
          `${key} has no effect: it belongs to the workload, and without an image there is no workload`,
          this,
        );
      }
    }
    const service = this.#service(name, cluster, valid);
    const workload = this.ownsPods ? this.#workload(name, cluster, valid) : undefined;
    const check = this.#endpoints(name, args, valid, service, workload);
    this.clusterIP = known(service.spec.clusterIP);
    this.ports = valid.apply((value) => withNodePorts(value, service));
    this.endpoints = known(check.stdout).apply((stdout) => endpointsOutput.parse(JSON.parse(stdout)).endpoints);
    this.checked = pulumi.all([valid, this.clusterIP, this.ports]).apply(([value, clusterIP, ports]) => ({
      namespace: value.namespace,
      name: value.serviceName,
      type: value.type,
      clusterIP,
      selector: value.selector,
      sessionAffinity: value.sessionAffinity,
      publishNotReadyAddresses: value.publishNotReadyAddresses,
      ports: ports.map((port) => ({ ...port, answersName: answersName(value.image, value.args ?? [], port) })),
    }));
    this.registerOutputs({ clusterIP: this.clusterIP, ports: this.ports, endpoints: this.endpoints });
  }

  #validated(args: SelectedServiceArgs): pulumi.Output<ValidService> {
    return checked("SelectedService args", selectedServiceArgs, {
      serviceName: this.serviceName,
      namespace: this.namespace,
      selector: args.selector,
      image: args.image,
      args: args.args,
      replicas: args.replicas,
      // A program in plain JavaScript may give something else, which the schema then refuses.
      ports: Array.isArray(args.ports) ? args.ports.map(withProtocol) : (args.ports as unknown),
      type: args.type ?? "ClusterIP",
      sessionAffinity: args.sessionAffinity ?? "None",
      publishNotReadyAddresses: args.publishNotReadyAddresses ?? false,
      timeout: args.timeout,
    }).apply(withDefaults);
  }

  #metadata() {
    const labels = { "app.kubernetes.io/managed-by": "podnet", [SERVICE_LABEL]: this.serviceName };
    return { name: this.serviceName, namespace: this.namespace, labels };
  }

  #service(name: string, cluster: Cluster, valid: pulumi.Output<ValidService>): core.Service {
    return new core.Service(
      `${name}-service`,
      {
        metadata: this.#metadata(),
        spec: valid.apply(serviceSpec),
      },
      cluster.objectOptions(this),
    );
  }

  #workload(name: string, cluster: Cluster, valid: pulumi.Output<ValidService>): apps.Deployment {
    return new apps.Deployment(
      `${name}-workload`,
      { metadata: this.#metadata(), spec: valid.apply(workloadSpec) },
      cluster.objectOptions(this),
    );
  }

  #endpoints(
    name: string,
    { cluster }: SelectedServiceArgs,
    valid: pulumi.Output<ValidService>,
    service: core.Service,
    workload: apps.Deployment | undefined,
  ): command.local.Command {
    return new command.local.Command(
      `${name}-endpoints`,
      {
        create: hereLine("endpoints"),
        stdin: pulumi.secret(
          pulumi
            .all([cluster.kubeconfig, valid])
            .apply(([kubeconfig, { namespace, serviceName, selector, replicas, publishNotReadyAddresses, timeout }]) =>
              JSON.stringify({
                kubeconfig,
                namespace,
                name: serviceName,
                selector,
                ...(this.ownsPods && { replicas: replicas ?? 1 }),
                ...(publishNotReadyAddresses && { publishNotReadyAddresses }),
                timeout: timeout ?? 180,
              }),
            ),
        ),
        triggers: triggersOf(service.metadata.uid, workload?.metadata.generation ?? 0),
        addPreviousOutputInEnv: false,
        logging: command.local.Logging.None,
      },
      { parent: this, dependsOn: workload ? [service, workload] : [service], deletedWith: cluster.deletedWith },
    );
  }
}

function withProtocol(port: ServicePortArgs) {
  return { ...port, protocol: port.protocol ?? "TCP" };
}

/** The ports with the node ports that the cluster gave them; other types are known without the Service. */
function withNodePorts(value: ValidService, service: core.Service): pulumi.Output<ServicePort[]> {
  const ports = portsOf(value);
  return value.type !== "NodePort"
    ? pulumi.output(ports)
    : known(service.spec.ports).apply((live) =>
        ports.map((port) => {
          const nodePort = live.find(({ name }) => name === port.name)?.nodePort ?? port.nodePort;
          return { ...port, ...(nodePort !== undefined && { nodePort }) };
        }),
      );
}
