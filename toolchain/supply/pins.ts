import { KUBERNETES_VERSION, type ReleaseName, VERSIONS } from "../../components/node/releases";
import { type AgentNetwork, NETWORK_VERSIONS } from "./agents";

/** Files of a module that a program of podnet's own embeds, laid beside its `main.go` when it is built. */
export interface Embeds {
  readonly module: string;
  /** Path in the module of each file, by the name it gets. */
  readonly files: Readonly<Record<string, string>>;
  /** A JSON file among them whose `version` is set to this. */
  readonly versioned: { readonly file: string; readonly version: string };
}

/** How a tool is built from source; its go.mod and go.sum are in `toolchain/supply/go/<name>`. */
export interface Source {
  readonly name: string;
  /** Import path of each program, by the name its binary gets. */
  readonly programs: Readonly<Record<string, string>>;
  readonly ldflags: string;
  readonly cgo?: boolean;
  readonly tags?: string;
  /** Where the program is podnet's own `main.go` beside the go.mod: what it embeds of a module. */
  readonly embeds?: Embeds;
  /** Minutes-long steps need an estimate: seconds of a cold build on two cores. */
  readonly seconds: number;
}

/** Version of the Pulumi CLI. */
export const PULUMI_VERSION = "3.259.0";
/** Version that @pulumi/kubernetes of package.json asks its plugin to have. */
const KUBERNETES_PLUGIN = "4.34.2";
/**
 * What the provider that is built here calls itself. Pulumi warns of any version below the one asked for, so it bears that
 * one; the build metadata, which no comparison reads, names the commit that it really is of.
 */
export const BUILT_PROVIDER_VERSION = `${KUBERNETES_PLUGIN}+podnet.f47bc2d6f199`;

/** Official plugins that @pulumi/command and @pulumi/kubernetes of package.json ask for. */
export const PLUGINS = [
  { name: "command", version: "1.2.1" },
  { name: "kubernetes", version: KUBERNETES_PLUGIN },
] as const;

const small = "-s -w";
const stamp = (variable: string, version: string): string => `-X ${variable}=${version}`;
const kubernetes = [
  "kubelet",
  "kubeadm",
  "kubectl",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
];
const plugins = "github.com/containernetworking/plugins";
const kubernetesProvider = "github.com/pulumi/pulumi-kubernetes/provider/v4";

/**
 * Every tool that can be built from source and that every cluster needs, in the order in which compilers take them: a small
 * one while the modules of the largest come, then what images are made of, so that those are ready while Pulumi is built.
 */
export const SOURCES: readonly Source[] = [
  {
    name: "runc",
    programs: { runc: "github.com/opencontainers/runc" },
    ldflags: `${small} -extldflags -static ${stamp("main.version", VERSIONS.runc)}`,
    cgo: true,
    tags: "seccomp netgo osusergo",
    seconds: 15,
  },
  {
    name: "kubernetes",
    programs: {
      ...Object.fromEntries(kubernetes.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`])),
      agnhost: "k8s.io/kubernetes/test/images/agnhost",
    },
    ldflags: [
      small,
      stamp("k8s.io/component-base/version.gitVersion", KUBERNETES_VERSION),
      stamp("k8s.io/component-base/version.gitMajor", "1"),
      stamp("k8s.io/component-base/version.gitMinor", "36"),
      stamp("k8s.io/component-base/version.gitTreeState", "clean"),
      stamp("k8s.io/client-go/pkg/version.gitVersion", KUBERNETES_VERSION),
    ].join(" "),
    seconds: 270,
  },
  { name: "etcd", programs: { etcd: "go.etcd.io/etcd/server/v3" }, ldflags: small, seconds: 25 },
  { name: "coredns", programs: { coredns: "github.com/coredns/coredns" }, ldflags: small, seconds: 90 },
  {
    name: "containerd",
    programs: Object.fromEntries(
      ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => [
        name,
        `github.com/containerd/containerd/v2/cmd/${name}`,
      ]),
    ),
    ldflags: `${small} ${stamp("github.com/containerd/containerd/v2/version.Version", `v${VERSIONS.containerd}`)}`,
    seconds: 55,
  },
  {
    name: "cni-plugins",
    programs: {
      bridge: `${plugins}/plugins/main/bridge`,
      loopback: `${plugins}/plugins/main/loopback`,
      "host-local": `${plugins}/plugins/ipam/host-local`,
      portmap: `${plugins}/plugins/meta/portmap`,
    },
    ldflags: `${small} ${stamp(`${plugins}/pkg/utils/buildversion.BuildVersion`, `v${VERSIONS.cniPlugins}`)}`,
    seconds: 10,
  },
  {
    name: "crictl",
    programs: { crictl: "sigs.k8s.io/cri-tools/cmd/crictl" },
    ldflags: `${small} ${stamp("sigs.k8s.io/cri-tools/pkg/version.Version", `v${VERSIONS.crictl}`)}`,
    seconds: 25,
  },
  {
    name: "pulumi",
    programs: { pulumi: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi" },
    ldflags: `${small} ${stamp("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", `v${PULUMI_VERSION}`)}`,
    seconds: 220,
  },
  {
    name: "pulumi-language-nodejs",
    programs: { "pulumi-language-nodejs": "github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs" },
    ldflags: `${small} ${stamp("github.com/pulumi/pulumi/sdk/v3/go/common/version.Version", "v3.68.0")}`,
    seconds: 40,
  },
  {
    name: "pulumi-resource-kubernetes",
    programs: { "pulumi-resource-kubernetes": "." },
    ldflags: `${small} ${stamp(`${kubernetesProvider}/pkg/version.Version`, BUILT_PROVIDER_VERSION)}`,
    embeds: {
      module: kubernetesProvider,
      files: {
        "schema.json": "cmd/pulumi-resource-kubernetes/schema.json",
        "terraform-mapping.json": "cmd/pulumi-resource-kubernetes/terraform-mapping.json",
      },
      versioned: { file: "schema.json", version: BUILT_PROVIDER_VERSION },
    },
    seconds: 140,
  },
];

/** The source that a release's binaries are built from. */
export const SOURCE_OF: Readonly<Record<ReleaseName, string>> = {
  kubelet: "kubernetes",
  kubeadm: "kubernetes",
  kubectl: "kubernetes",
  containerd: "containerd",
  runc: "runc",
  "cni-plugins": "cni-plugins",
  crictl: "crictl",
};

/** The sources of the images that nodes run. */
export const IMAGE_SOURCES = ["kubernetes", "etcd", "coredns"];

const cilium = "github.com/cilium/cilium";

/** The sources of the networks that run an agent, built when a stack asks for that network. */
export const NETWORK_SOURCES: Readonly<Record<AgentNetwork, readonly Source[]>> = {
  flannel: [
    {
      name: "flannel",
      programs: {
        flanneld: "github.com/flannel-io/flannel",
        "install-conf": "github.com/flannel-io/flannel/cmd/install_conf",
      },
      ldflags: `${small} -extldflags -static ${stamp("github.com/flannel-io/flannel/pkg/version.Version", NETWORK_VERSIONS.flannel)}`,
      cgo: true,
      seconds: 90,
    },
    {
      name: "flannel-cni-plugin",
      programs: { flannel: `${plugins}/plugins/meta/flannel` },
      ldflags: `${small} ${stamp(`${plugins}/pkg/utils/buildversion.BuildVersion`, "v0.9.1")}`,
      seconds: 5,
    },
  ],
  "kube-router": [
    {
      name: "kube-router",
      programs: { "kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router" },
      ldflags: `${small} ${stamp("github.com/cloudnativelabs/kube-router/v2/pkg/version.Version", NETWORK_VERSIONS.kubeRouter)}`,
      seconds: 75,
    },
  ],
  cilium: [
    {
      name: "cilium",
      programs: {
        "cilium-agent": `${cilium}/daemon`,
        "cilium-operator-generic": `${cilium}/operator`,
        "cilium-cni": `${cilium}/plugins/cilium-cni`,
        "cilium-health-responder": `${cilium}/cilium-health/responder`,
        "cilium-dbg": `${cilium}/cilium-dbg`,
        "cilium-mount": `${cilium}/tools/mount`,
        "cilium-sysctlfix": `${cilium}/tools/sysctlfix`,
      },
      ldflags: `${small} ${stamp(`${cilium}/pkg/version.ciliumVersion`, NETWORK_VERSIONS.cilium.slice(1))}`,
      tags: "osusergo,ipam_provider_operator",
      seconds: 420,
    },
  ],
};
