/** Label on everything a lab makes; its value is the lab's name. */
export const LAB_LABEL = "podnet.lab";

/** Makes a lab's SSH key pair and prints it: the private key, then the public one as the last line. A secret. */
export const KEYS_SCRIPT = `umask 077
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ssh-keygen -q -t ed25519 -N '' -C podnet -f "$folder/key"
cat "$folder/key" "$folder/key.pub"
`;

/** Splits what {@link KEYS_SCRIPT} printed. Throws when it is something else. */
export function parseKeys(stdout: string): { readonly privateKey: string; readonly publicKey: string } {
  const match =
    /^(-----BEGIN OPENSSH PRIVATE KEY-----\n[\s\S]+-----END OPENSSH PRIVATE KEY-----\n)(ssh-ed25519 .+)\s*$/.exec(
      stdout,
    );
  if (!match?.[1] || !match[2]) {
    throw new Error("ssh-keygen did not print a key pair; is openssh-client installed?");
  }
  return { privateKey: match[1], publicKey: match[2] };
}

/** Makes the lab's network, or leaves it when it is there. Reads LAB, NETWORK (its name and its bridge's) and SUBNET. */
export const NETWORK_SCRIPT = `seen=$(docker network inspect "$NETWORK" --format '{{(index .IPAM.Config 0).Subnet}} {{index .Labels "${LAB_LABEL}"}}' 2>/dev/null || true)
if [ "$seen" = "$SUBNET $LAB" ]; then exit 0; fi
if [ -n "$seen" ]; then
  echo "docker network $NETWORK exists with subnet and lab $seen; remove it (docker network rm $NETWORK) or name this lab otherwise" >&2
  exit 1
fi
docker network create --driver bridge --subnet "$SUBNET" --opt com.docker.network.bridge.name="$NETWORK" --label ${LAB_LABEL}="$LAB" "$NETWORK" >/dev/null
`;

/** Removes the lab's network. */
export const REMOVE_NETWORK_SCRIPT = `if docker network inspect "$NETWORK" >/dev/null 2>&1; then docker network rm "$NETWORK" >/dev/null; fi
`;

/**
 * Makes and boots one lab node, and prints its public host key once its sshd answers. Reads LAB, NETWORK, CONTAINER, HOST,
 * ADDRESS, IMAGE, PUBLIC_KEY and MIRROR_DIR (empty for none; mounted read-only at its own path). A container of this name
 * that is left from an interrupted run is replaced. Without CAP_SYS_RESOURCE an engine cannot make privileged containers,
 * and gets what systemd, containerd and the kubelet need piece by piece.
 */
export const NODE_SCRIPT = `folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
owner=$(docker inspect "$CONTAINER" --format '{{index .Config.Labels "${LAB_LABEL}"}}' 2>/dev/null || true)
if [ -n "$owner" ] && [ "$owner" != "$LAB" ]; then
  echo "container $CONTAINER belongs to lab $owner; remove it (docker rm -f -v $CONTAINER) or name this lab otherwise" >&2
  exit 1
fi
if ! docker image inspect "$IMAGE" >/dev/null 2>&1; then
  echo "node image $IMAGE is not in the container engine \${DOCKER_HOST:-of this machine}; \\"make up\\" in podnet's folder makes it" >&2
  exit 1
fi
docker rm -f -v "$CONTAINER" >/dev/null 2>&1 || true
umask 077
mkdir -p "$folder/root/etc/ssh" "$folder/root/root/.ssh"
ssh-keygen -q -t ed25519 -N '' -C "$HOST" -f "$folder/root/etc/ssh/ssh_host_ed25519_key"
printf '%s\\n' "$PUBLIC_KEY" >"$folder/root/root/.ssh/authorized_keys"
chmod 0644 "$folder/root/etc/ssh/ssh_host_ed25519_key.pub"
if [ $((0x$(awk '/^CapBnd/ { print $2 }' /proc/self/status) >> 24 & 1)) = 1 ]; then
  rights=(--privileged)
else
  rights=(--cap-add ALL --cap-drop SYS_RESOURCE --security-opt seccomp=unconfined --security-opt apparmor=unconfined
    --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm')
fi
mirror=()
[ -z "$MIRROR_DIR" ] || mirror=(--volume "$MIRROR_DIR:$MIRROR_DIR:ro")
docker create --name "$CONTAINER" --hostname "$HOST" --network "$NETWORK" --ip "$ADDRESS" --label ${LAB_LABEL}="$LAB" \\
  "\${rights[@]}" --cgroupns=private --tmpfs /run:exec --tmpfs /run/lock --tmpfs /tmp:exec \\
  --volume /var/lib/containerd --volume /var/lib/kubelet --volume /var/lib/etcd "\${mirror[@]}" \\
  --stop-signal SIGRTMIN+3 --restart no "$IMAGE" >/dev/null 2>"$folder/err" || { cat "$folder/err" >&2; exit 1; }
tar -C "$folder/root" --owner=0 --group=0 --numeric-owner -cf - etc/ssh/ssh_host_ed25519_key etc/ssh/ssh_host_ed25519_key.pub root/.ssh |
  docker cp - "$CONTAINER:/" >/dev/null 2>&1
docker start "$CONTAINER" >/dev/null 2>"$folder/err" || { cat "$folder/err" >&2; exit 1; }
for _ in $(seq 300); do
  if (exec 3<>"/dev/tcp/$ADDRESS/22" && read -r -t 2 banner <&3 && [[ $banner == SSH-* ]]) 2>/dev/null; then
    cut -d' ' -f1,2 "$folder/root/etc/ssh/ssh_host_ed25519_key.pub"
    exit 0
  fi
  sleep 0.1
done
echo "lab node $HOST did not answer on $ADDRESS:22 within 30 s; what its container printed:" >&2
docker logs --tail 20 "$CONTAINER" >&2 || true
exit 1
`;

/** Removes one lab node with its volumes. */
export const REMOVE_NODE_SCRIPT = `if docker inspect "$CONTAINER" >/dev/null 2>&1; then docker rm -f -v "$CONTAINER" >/dev/null; fi
`;
