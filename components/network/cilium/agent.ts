import { AGENT_LABEL, NETWORK_LABEL, type NetworkDefinition } from "../definition";
import { CGROUP, ciliumConfig, type CiliumInput } from "./config";
import { CILIUM_IMAGES } from "./definition";
import { environment } from "./environment";

const CNI_BIN = "/opt/cni/bin";

const healthy = (period: number, failures: number) => ({
  httpGet: {
    host: "127.0.0.1",
    path: "/healthz",
    port: 9879,
    scheme: "HTTP",
    httpHeaders: [{ name: "brief", value: "true" }],
  },
  periodSeconds: period,
  failureThreshold: failures,
  timeoutSeconds: 5,
});

/** Pod template of Cilium's agent, with the steps of its chart's DaemonSet. */
export function ciliumAgentTemplate(definition: NetworkDefinition, input: CiliumInput) {
  const image = CILIUM_IMAGES.agent;
  const env = environment(input.apiServer);
  const init = (name: string, command: string[], more: object) => ({
    name,
    image,
    imagePullPolicy: "IfNotPresent",
    command,
    terminationMessagePolicy: "FallbackToLogsOnError",
    ...more,
  });
  const privileged = { privileged: true };
  const host = (name: string, path: string, type?: string) => ({
    name,
    hostPath: { path, ...(type !== undefined && { type }) },
  });
  return {
    metadata: {
      labels: {
        "k8s-app": "cilium",
        "app.kubernetes.io/name": "cilium-agent",
        "app.kubernetes.io/part-of": "cilium",
        [AGENT_LABEL]: definition.kind,
      },
      annotations: {
        "kubectl.kubernetes.io/default-container": "cilium-agent",
        "podnet.dev/files": JSON.stringify(ciliumConfig(input)),
      },
    },
    spec: {
      nodeSelector: { "kubernetes.io/os": "linux", [NETWORK_LABEL]: definition.id },
      hostNetwork: true,
      priorityClassName: "system-node-critical",
      serviceAccountName: "cilium",
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 1,
      initContainers: [
        init("config", ["cilium-dbg", "build-config"], { env, volumeMounts: [{ name: "tmp", mountPath: "/tmp" }] }),
        init(
          "mount-cgroup",
          [
            "sh",
            "-ec",
            `cp /usr/bin/cilium-mount /hostbin/cilium-mount; nsenter --cgroup=/hostproc/1/ns/cgroup --mount=/hostproc/1/ns/mnt ${CNI_BIN}/cilium-mount ${CGROUP}; rm /hostbin/cilium-mount`,
          ],
          {
            securityContext: privileged,
            volumeMounts: [
              { name: "hostproc", mountPath: "/hostproc" },
              { name: "cni-path", mountPath: "/hostbin" },
            ],
          },
        ),
        init(
          "apply-sysctl-overwrites",
          [
            "sh",
            "-ec",
            `cp /usr/bin/cilium-sysctlfix /hostbin/cilium-sysctlfix; nsenter --mount=/hostproc/1/ns/mnt ${CNI_BIN}/cilium-sysctlfix; rm /hostbin/cilium-sysctlfix`,
          ],
          {
            securityContext: privileged,
            volumeMounts: [
              { name: "hostproc", mountPath: "/hostproc" },
              { name: "cni-path", mountPath: "/hostbin" },
            ],
          },
        ),
        init("clean-cilium-state", ["/init-container.sh"], {
          securityContext: privileged,
          volumeMounts: [
            { name: "bpf-maps", mountPath: "/sys/fs/bpf" },
            { name: "cilium-cgroup", mountPath: CGROUP, mountPropagation: "HostToContainer" },
            { name: "cilium-run", mountPath: "/var/run/cilium" },
          ],
        }),
        init("install-cni-binaries", ["/install-plugin.sh"], {
          volumeMounts: [{ name: "cni-path", mountPath: "/host/opt/cni/bin" }],
        }),
      ],
      containers: [
        {
          name: "cilium-agent",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["cilium-agent"],
          args: ["--config-dir=/tmp/cilium/config-map"],
          startupProbe: healthy(1, 150),
          livenessProbe: healthy(30, 10),
          readinessProbe: healthy(5, 3),
          env: [...env, { name: "CILIUM_CLUSTERMESH_CONFIG", value: "/var/lib/cilium/clustermesh/" }],
          lifecycle: { preStop: { exec: { command: ["/cni-uninstall.sh"] } } },
          securityContext: privileged,
          terminationMessagePolicy: "FallbackToLogsOnError",
          volumeMounts: [
            { name: "hostproc", mountPath: "/host/proc" },
            { name: "bpf-maps", mountPath: "/sys/fs/bpf", mountPropagation: "Bidirectional" },
            { name: "cilium-cgroup", mountPath: CGROUP },
            { name: "cilium-run", mountPath: "/var/run/cilium" },
            { name: "cilium-netns", mountPath: "/var/run/cilium/netns", mountPropagation: "HostToContainer" },
            { name: "etc-cni-netd", mountPath: "/host/etc/cni/net.d" },
            { name: "lib-modules", mountPath: "/lib/modules", readOnly: true },
            { name: "xtables-lock", mountPath: "/run/xtables.lock" },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
      ],
      volumes: [
        { name: "tmp", emptyDir: {} },
        host("hostproc", "/proc", "Directory"),
        host("cilium-run", "/var/run/cilium", "DirectoryOrCreate"),
        host("cilium-netns", "/var/run/netns", "DirectoryOrCreate"),
        host("bpf-maps", "/sys/fs/bpf", "DirectoryOrCreate"),
        host("cilium-cgroup", CGROUP, "DirectoryOrCreate"),
        host("cni-path", CNI_BIN, "DirectoryOrCreate"),
        host("etc-cni-netd", "/etc/cni/net.d", "DirectoryOrCreate"),
        host("lib-modules", "/lib/modules"),
        host("xtables-lock", "/run/xtables.lock", "FileOrCreate"),
      ],
    },
  };
}
