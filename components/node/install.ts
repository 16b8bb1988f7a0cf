import { CONFLIST_NAME } from "../network/bridge/conflist";
import { REMOVE_EMPTY_BRIDGE } from "../network/bridge/bridge";
import { NETWORK_SYSCTLS, CONNTRACK_SYSCTLS, MODULES, sysctlFile } from "./sysctls";
import { assignments, quote, writeFile } from "./quote";
import { CONTAINERD_UNIT, containerdConfig, CRI_SOCKET, CRICTL_CONFIG, KUBELET_UNIT, MARK, STATE_DIR } from "./files";
import { type Arch, archiveOf, imagesOf, PAUSE_IMAGE, releaseFiles, type ReleaseName } from "./releases";

/** How an installed release's files come out of what is downloaded, and where they go. */
const PLACES: Readonly<
  Record<ReleaseName, { readonly folder: string; readonly members: readonly string[]; readonly strip?: number }>
> = {
  kubelet: { folder: "/usr/local/bin", members: [] },
  kubeadm: { folder: "/usr/local/bin", members: [] },
  kubectl: { folder: "/usr/local/bin", members: [] },
  runc: { folder: "/usr/local/sbin", members: [] },
  containerd: { folder: "/usr/local/bin", members: ["containerd", "containerd-shim-runc-v2", "ctr"], strip: 1 },
  crictl: { folder: "/usr/local/bin", members: ["crictl"] },
  "cni-plugins": { folder: "/opt/cni/bin", members: ["bridge", "host-local", "loopback", "portmap"] },
};

/** What the runtime of one node is made of. */
export interface InstallInput {
  readonly role: "control-plane" | "worker";
  /** Base URL of a mirror in the upstream's layout; without it the upstream itself. */
  readonly mirror?: string | undefined;
  /** SHA-256 of the mirror's files by path, which take the place of the pinned ones; image archives are taken from here. */
  readonly checksums?: Readonly<Record<string, string>> | undefined;
}

interface Item {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
}

function items(arch: Arch, { checksums }: InstallInput): Item[] {
  return releaseFiles(arch).map(({ name, path, sha256 }) => {
    return { name, path, sha256: checksums?.[path] ?? sha256 };
  });
}

/** Checks that nothing of another owner is in the way and that what the scripts call is there, then takes the machine. */
export function claimScript(cluster: string): string {
  return `${assignments({ cluster, state: STATE_DIR, mark: MARK })}
problems=
problem() { problems="$problems
  - $*"; }
[ -d /run/systemd/system ] || problem "systemd is not the init system; podnet needs it to run containerd and the kubelet"
case $(uname -m) in x86_64 | aarch64) ;; *) problem "$(uname -m) machines are not supported; use x86_64 or aarch64" ;; esac
missing=
for program in conntrack curl flock ip nft sha256sum tar timeout; do
  command -v "$program" >/dev/null || missing="$missing $program"
done
[ -z "$missing" ] || problem "missing programs:$missing; on Debian and Ubuntu: apt-get install conntrack coreutils curl iproute2 nftables tar util-linux"
if [ -e "$state/claim" ]; then
  [ "$(cat "$state/claim")" = "$cluster" ] || problem "it belongs to the podnet cluster $(cat "$state/claim"); take it out of that one first"
else
  [ ! -e /etc/kubernetes/kubelet.conf ] || problem "it is a Kubernetes node already; run kubeadm reset on it first"
  for file in /etc/containerd/config.toml /etc/systemd/system/containerd.service /etc/systemd/system/kubelet.service; do
    [ ! -e "$file" ] || grep -qxF "$mark" "$file" || problem "$file belongs to another installation; remove that first"
  done
  ! systemctl is-active -q docker || problem "a Docker Engine runs here; its containerd and podnet's would collide"
fi
if [ -n "$problems" ]; then
  echo "$(hostname) cannot become a node:$problems" >&2
  exit 1
fi
mkdir -p "$state/installed"
printf '%s\\n' "$cluster" >"$state/claim"
`;
}

/** Function of a script that leaves a checked file's path in `$fetched`; reads `$mirror` and `$tmp`. */
const FETCH = `# Leaves the checked file's path in $fetched. A file:// mirror is read in place.
fetch() {
  local path=$1 sum=$2 seen
  case $mirror in
    file://*) fetched=\${mirror#file://}/$path
      [ -r "$fetched" ] || { echo "$mirror/$path: not there; make the mirror anew" >&2; return 1; } ;;
    https:/) fetched=$tmp/$sum
      curl -fsSL --retry 3 --connect-timeout 10 --speed-limit 1000 --speed-time 30 -o "$fetched" "https://$path" ;;
    *) fetched=$tmp/$sum
      curl -fsSL --retry 3 --connect-timeout 10 --speed-limit 1000 --speed-time 30 -o "$fetched" "$mirror/$path" ;;
  esac || { echo "cannot fetch $path from \${mirror#https:/}: is it reachable from $(hostname)?" >&2; return 1; }
  seen=$(sha256sum "$fetched" | cut -d' ' -f1)
  [ "$seen" = "$sum" ] || { echo "$path: SHA-256 is $seen, expected $sum; refused" >&2; return 1; }
}
`;

/** Function of a script that gives an archive's image to containerd, unless it has it; reads `$state` and `$tmp`. */
const IMPORT_IMAGE = `import_image() {
  local image=$1 path=$2 sum=$3 fetched
  local record=$state/installed/image-\${path//\\//_}
  if [ "$(cat "$record" 2>/dev/null)" = "$sum" ] && [ -n "$(ctr -n k8s.io images ls -q "name==$image" 2>/dev/null)" ]; then return; fi
  fetch "$path" "$sum"
  ctr -n k8s.io images import "$fetched" >"$tmp/log-$sum" 2>&1 || { cat "$tmp/log-$sum" >&2; return 1; }
  printf '%s\\n' "$sum" >"$record"
}
`;

/** The image archives of the mirror among these images. */
function archivesOf(images: readonly string[], checksums: Readonly<Record<string, string>> = {}): Item[] {
  return images.flatMap((image) => {
    const path = archiveOf(image);
    const sha256 = checksums[path];
    return sha256 === undefined ? [] : [{ name: image, path, sha256 }];
  });
}

/**
 * Gives a node these images: out of the mirror where it has them, else out of their registry. Ends with an error that names
 * the image when neither can.
 */
export function imageScript(
  images: readonly string[],
  { mirror, checksums }: Pick<InstallInput, "mirror" | "checksums">,
): string {
  const archives = archivesOf(images, checksums);
  const pulled = images.filter((image) => !archives.some(({ name }) => name === image));
  return `${assignments({ mirror: mirror ?? "https:/", state: STATE_DIR })}
tmp=$(mktemp -d "$state/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
${FETCH}
${IMPORT_IMAGE}
pull_image() {
  [ -z "$(ctr -n k8s.io images ls -q "name==$1" 2>/dev/null)" ] || return 0
  timeout 300 crictl -t 300s pull "$1" >"$tmp/pull" 2>&1 || {
    echo "$(hostname) cannot pull the image $1: $(tail -n 1 "$tmp/pull" | cut -c 1-300)" >&2
    echo "where no registry can be reached, a mirror has to hold it; \\"make up\\" makes one" >&2
    return 1
  }
}
${archives.map(({ name, path, sha256 }) => `import_image ${[name, path, sha256].map(quote).join(" ")}\n`).join("")}${pulled.map((image) => `pull_image ${quote(image)}\n`).join("")}rm -rf "$tmp"
trap - EXIT
`;
}

/** Installs the binaries, containerd's and the kubelet's units, the kernel settings and the images that the mirror has. */
export function installScript(input: InstallInput): string {
  const install = (item: Item): string => {
    const { folder, members, strip } = PLACES[item.name as ReleaseName];
    return `install_release ${[item.name, item.path, item.sha256, folder, String(strip ?? 0), ...members].map(quote).join(" ")} &`;
  };
  const branch = (arch: Arch): string =>
    items(arch, input)
      .map((item) => `    ${install(item)}\n    jobs_started="$jobs_started $!"`)
      .join("\n");
  const images = archivesOf(imagesOf(input.role), input.checksums);
  return `${assignments({ mirror: input.mirror ?? "https:/", state: STATE_DIR })}
tmp=$(mktemp -d "$state/fetch.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

${FETCH}
install_release() {
  local name=$1 path=$2 sum=$3 folder=$4 strip=$5 fetched member
  shift 5
  local record=$state/installed/$name present=1
  for member in "\${@:-$name}"; do [ -x "$folder/$member" ] || present=; done
  if [ -n "$present" ] && [ "$(cat "$record" 2>/dev/null)" = "$sum" ]; then return; fi
  fetch "$path" "$sum"
  mkdir -p "$folder" "$tmp/$name"
  if [ $# -gt 0 ]; then
    tar -xf "$fetched" -C "$tmp/$name" --strip-components "$strip" --no-same-owner
    for member in "$@"; do install -m 0755 "$(find "$tmp/$name" -type f -name "$member" | head -n 1)" "$folder/.$member.podnet"; done
  else
    set -- "$name"
    install -m 0755 "$fetched" "$folder/.$name.podnet"
  fi
  for member in "$@"; do mv -f "$folder/.$member.podnet" "$folder/$member"; done
  rm -rf "\${tmp:?}/$name"
  printf '%s\\n' "$sum" >"$record"
}

jobs_started=
case $(uname -m) in
  x86_64)
${branch("amd64")}
    ;;
  aarch64)
${branch("arm64")}
    ;;
esac
fingerprint() { { cat /etc/containerd/config.toml "$state/installed/containerd" "$state/installed/runc" 2>/dev/null || true; } | sha256sum; }
before=$(fingerprint)

${writeFile("/etc/modules-load.d/podnet.conf", MODULES.map((name) => `${name}\n`).join(""))}
${writeFile("/etc/sysctl.d/90-podnet.conf", sysctlFile(NETWORK_SYSCTLS) + sysctlFile(CONNTRACK_SYSCTLS, true))}
for module in ${MODULES.join(" ")}; do modprobe "$module" 2>/dev/null || true; done
sysctl -q -e -p /etc/sysctl.d/90-podnet.conf
swapoff -a 2>/dev/null || true
oom=false
(echo -1 >/proc/self/oom_score_adj) 2>/dev/null || oom=true
${writeFile("/etc/containerd/config.toml", containerdConfig(PAUSE_IMAGE))}
sed -i "s/@OOM@/$oom/" /etc/containerd/config.toml
mkdir -p /etc/cni/net.d
${writeFile("/etc/systemd/system/containerd.service", CONTAINERD_UNIT)}
${writeFile("/etc/systemd/system/kubelet.service", KUBELET_UNIT)}
${writeFile("/etc/crictl.yaml", CRICTL_CONFIG)}

failed=
for job in $jobs_started; do wait "$job" || failed=1; done
[ -z "$failed" ] || exit 1

systemctl daemon-reload
[ "$before" = "$(fingerprint)" ] || systemctl stop containerd 2>/dev/null || true
systemctl enable -q --now containerd
systemctl enable -q kubelet

${IMPORT_IMAGE}jobs_started=
${images.map(({ name, path, sha256 }) => `import_image ${[name, path, sha256].map(quote).join(" ")} &\njobs_started="$jobs_started $!"`).join("\n")}
for job in $jobs_started; do wait "$job" || failed=1; done
[ -z "$failed" ] || { echo "some images could not be imported" >&2; exit 1; }
`;
}

/** Takes away everything that podnet put on a machine, in the order in which it depends on each other. */
export function uninstallScript(): string {
  const binaries = Object.entries(PLACES).flatMap(([name, { folder, members }]) =>
    (members.length > 0 ? members : [name]).map((member) => `${folder}/${member}`),
  );
  return `${assignments({ state: STATE_DIR, mark: MARK })}
[ -e "$state/claim" ] || exit 0
systemctl disable -q --now kubelet 2>/dev/null || true
if [ -x /usr/local/bin/kubeadm ]; then
  timeout 120 kubeadm reset --force --cri-socket ${CRI_SOCKET} >/dev/null 2>&1 || true
fi
systemctl disable -q --now containerd 2>/dev/null || true
for pid in $(ps -eo pid=,args= | awk '$2 == "/usr/local/bin/containerd-shim-runc-v2" { print $1 }'); do kill -9 "$pid" 2>/dev/null || true; done
# What is mounted below these folders is containers' and pods'; what is mounted on them is the machine's.
awk '$2 ~ "^/(run/containerd|var/lib/containerd|var/lib/kubelet)/" || $2 ~ "^/run/netns/cni-" { print $2 }' /proc/mounts | sort -r |
  while read -r mount; do umount -l "$mount" 2>/dev/null || true; done
for file in /etc/containerd/config.toml /etc/systemd/system/containerd.service /etc/systemd/system/kubelet.service /etc/crictl.yaml; do
  if grep -qxF "$mark" "$file" 2>/dev/null; then rm -f "$file"; fi
done
systemctl daemon-reload
rm -f ${binaries.map(quote).join(" ")}
rm -f /etc/modules-load.d/podnet.conf /etc/sysctl.d/90-podnet.conf
rm -f /var/lib/cni/results/${CONFLIST_NAME}-* /var/lib/cni/results/cni-loopback-*
${REMOVE_EMPTY_BRIDGE}
for folder in /opt/cni/bin /opt/cni /opt/containerd/bin /opt/containerd/lib /opt/containerd /etc/containerd \
  /etc/cni/net.d /etc/cni /var/lib/cni/results /var/lib/cni; do
  rmdir "$folder" 2>/dev/null || true
done
for folder in /var/lib/containerd /var/lib/kubelet /var/lib/etcd; do
  find "$folder" -mindepth 1 -delete 2>/dev/null || true
  rmdir "$folder" 2>/dev/null || true
done
rm -rf /run/containerd /etc/kubernetes /root/.kube/cache "$state"
`;
}
