/** Processor architecture of a node, by Go's names. */
export type Arch = "amd64" | "arm64";

/** The architectures that podnet knows releases for. */
export const ARCHITECTURES: readonly Arch[] = ["amd64", "arm64"];

/** Name of a release that nodes install. */
export type ReleaseName = "kubelet" | "kubeadm" | "kubectl" | "containerd" | "runc" | "cni-plugins" | "crictl";

/** One file of an official release. */
export interface ReleaseFile {
  readonly name: ReleaseName;
  /** Host and path at the upstream, and path under a mirror. */
  readonly path: string;
  /** SHA-256 of the official file, lower-case hexadecimal. */
  readonly sha256: string;
}

/** Kubernetes version of the nodes, as in its release's folder. */
export const KUBERNETES_VERSION = "v1.36.3";
/** Versions of what else nodes run; etcd, CoreDNS and pause are those of kubeadm's constants for this Kubernetes. */
export const VERSIONS = {
  containerd: "2.2.1",
  runc: "1.3.3",
  cniPlugins: "1.9.1",
  crictl: "1.36.0",
  etcd: "3.6.8",
  coredns: "1.14.2",
} as const;

/** The image every pod's network namespace is held by. */
export const PAUSE_IMAGE = "registry.k8s.io/pause:3.10.2";
/** The Kubernetes project's own test server and client, which the connectivity check runs. */
export const AGNHOST_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.63.0";

const SUMS: Readonly<Record<ReleaseName, Readonly<Record<Arch, string>>>> = {
  kubelet: {
    amd64: "46707a53209f826ad0f0d62371ac69cd00e78fd9a8176cf5f6f87f18f7f8b718",
    arm64: "57205a5daf5883873d87b4914e1e00bdd7707acd075714788cfb0fc1f60bc414",
  },
  kubeadm: {
    amd64: "bba1733c701bf70ec74ba1cc3fd5745404c1134a8a4b0a5f8560cc9832023421",
    arm64: "276cfbdc43b10fef663288cc1ed76abf77b1b7f700e9f1c053cb5dc3115484de",
  },
  kubectl: {
    amd64: "ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336",
    arm64: "3d86f24401c41ae5a46ac50eef8865fe891d3647d324a0836f6c63757a126e62",
  },
  containerd: {
    amd64: "f5d8e90ecb6c1c7e33ecddf8cc268a93b9e5b54e0e850320d765511d76624f41",
    arm64: "dac15a0d412a24be8bfe6a40cec8f51829062725169f1e72ac7d120a891ef5b6",
  },
  runc: {
    amd64: "8781ab9f71c12f314d21c8e85f13ca1a82d90cf475aa5131a7b543fcc5487543",
    arm64: "3c9a8e9e6dafd00db61f4611692447ebab4a56388bae4f82192aed67b66df712",
  },
  "cni-plugins": {
    amd64: "b98f74a0f8522f0a83867178729c1aa70f2158f90c45a2ca8fa791db1c76b303",
    arm64: "56171987d3947707c3563db2f4001bccaf50fd63468611b9f3cbecb1375ee7ec",
  },
  crictl: {
    amd64: "83855e114566a8a8c44c548d515670f51de3a5e1da8b2effb59870e2f10c25a3",
    arm64: "68328594ccf780a80ae2b092d9f6ce484eec7cf540c275242e8fd954bfd95332",
  },
};

/** The release files that a node of this architecture installs, with the checksums that their projects publish. */
export function releaseFiles(arch: Arch): ReleaseFile[] {
  const kubernetes = `dl.k8s.io/release/${KUBERNETES_VERSION}/bin/linux/${arch}`;
  const { containerd, runc, cniPlugins, crictl } = VERSIONS;
  const paths: Readonly<Record<ReleaseName, string>> = {
    kubelet: `${kubernetes}/kubelet`,
    kubeadm: `${kubernetes}/kubeadm`,
    kubectl: `${kubernetes}/kubectl`,
    containerd: `github.com/containerd/containerd/releases/download/v${containerd}/containerd-${containerd}-linux-${arch}.tar.gz`,
    runc: `github.com/opencontainers/runc/releases/download/v${runc}/runc.${arch}`,
    "cni-plugins": `github.com/containernetworking/plugins/releases/download/v${cniPlugins}/cni-plugins-linux-${arch}-v${cniPlugins}.tgz`,
    crictl: `github.com/kubernetes-sigs/cri-tools/releases/download/v${crictl}/crictl-v${crictl}-linux-${arch}.tar.gz`,
  };
  return (Object.keys(paths) as ReleaseName[]).map((name) => ({ name, path: paths[name], sha256: SUMS[name][arch] }));
}

const WORKER_IMAGES = [
  `registry.k8s.io/kube-proxy:${KUBERNETES_VERSION}`,
  `registry.k8s.io/coredns/coredns:v${VERSIONS.coredns}`,
  PAUSE_IMAGE,
  AGNHOST_IMAGE,
];

/** The images that a node of this role runs, under the names that `kubeadm config images list` prints. */
export function imagesOf(role: "control-plane" | "worker"): string[] {
  return role === "worker"
    ? WORKER_IMAGES
    : [
        ...["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(
          (name) => `registry.k8s.io/${name}:${KUBERNETES_VERSION}`,
        ),
        `registry.k8s.io/etcd:${VERSIONS.etcd}-0`,
        ...WORKER_IMAGES,
      ];
}

/** Path under a mirror of an image's archive: its name, then its tag as the file. */
export function archiveOf(image: string): string {
  return `${image.replace(/:([^:/]+)$/, "/$1")}.tar`;
}
