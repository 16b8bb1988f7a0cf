/** First line of every configuration file that podnet writes; a file without it belongs to somebody else. */
export const MARK = "# Written by podnet; changes are overwritten.";

/** Folder on a node where podnet records what it installed. */
export const STATE_DIR = "/var/lib/podnet";

/** Line of a script that finds what podnet installs, whatever the login's own PATH is. */
export const SET_PATH = "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Socket that the kubelet and crictl talk to. */
export const CRI_SOCKET = "unix:///run/containerd/containerd.sock";

/**
 * containerd's configuration, version 3. Systemd owns the cgroups, as the kubelet expects
 * (https://kubernetes.io/docs/setup/production-environment/container-runtimes/#containerd-systemd). `@OOM@` becomes true on
 * a machine that may not lower an OOM score; the script that writes the file knows.
 */
export function containerdConfig(pauseImage: string): string {
  return `${MARK}
version = 3

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '${pauseImage}'

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = @OOM@

[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '/usr/local/sbin/runc'
  SystemdCgroup = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin']
  conf_dir = '/etc/cni/net.d'
`;
}

/** containerd's unit. Containers outlive its restart (KillMode) and it manages their cgroups itself (Delegate). */
export const CONTAINERD_UNIT = `${MARK}
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target local-fs.target

[Service]
ExecStart=/usr/local/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=2
LimitNPROC=infinity
LimitCORE=infinity
LimitNOFILE=1048576
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
`;

/** The kubelet's unit, with the files that kubeadm writes; it waits for kubeadm's configuration to be there. */
export const KUBELET_UNIT = `${MARK}
[Unit]
Description=kubelet: the Kubernetes node agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target containerd.service
After=network-online.target containerd.service
ConditionPathExists=/var/lib/kubelet/config.yaml
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=/usr/local/bin/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
`;

/** crictl's configuration: where the runtime listens. */
export const CRICTL_CONFIG = `${MARK}
runtime-endpoint: ${CRI_SOCKET}
image-endpoint: ${CRI_SOCKET}
timeout: 10
`;
