import { BRIDGE, conflist, CONFLIST_PATH } from "./conflist";
import { writeFile } from "../../node/quote";
import { FOLDER, type HostInput, hostScript, REMOVE_HOST } from "./unit";

/** Text in the conflist that the node replaces by the pods' MTU. */
const POD_MTU = "@POD_MTU@";

/**
 * Installs the bridge network on a node and puts it into force. The conflist is written last, because the kubelet calls the
 * node ready when it sees it. Reads `$mtu` and `$node_pod_cidr`.
 */
export function installBridge(input: HostInput): string {
  return `gateway=
if [ -d /sys/class/net/${BRIDGE} ]; then gateway=$(ip -o -4 address show dev ${BRIDGE} | awk '{ print $4; exit }'); fi
if [ -n "$gateway" ] && ! ip -4 route show table main proto kernel dev ${BRIDGE} | grep -q "^$node_pod_cidr "; then
  # A bridge that kept another CIDR's address breaks every new pod, and deleting it under living pods cuts them off.
  if [ -n "$(ls /sys/class/net/${BRIDGE}/brif)" ]; then
    echo "${BRIDGE} of $(hostname) has address $gateway, outside its pod CIDR $node_pod_cidr, and pods are attached to it; drain the node and run the update again" >&2
    exit 1
  fi
  ip link delete ${BRIDGE}
fi
${hostScript(input, true)}
# The runtime reads *.conflist only: the temporary name is none of its business.
${writeFile(`${FOLDER}/conflist`, conflist({ podCidr: input.nodePodCidr, mtu: POD_MTU }))}
sed -i 's/"${POD_MTU}"/'"$mtu"/ ${FOLDER}/conflist
mkdir -p /etc/cni/net.d
cp ${FOLDER}/conflist ${CONFLIST_PATH}.podnet-new
mv -f ${CONFLIST_PATH}.podnet-new ${CONFLIST_PATH}
`;
}

/** Deletes the bridge if no pod is attached to it: deleting it under living pods would cut them off. */
export const REMOVE_EMPTY_BRIDGE = `if [ -d /sys/class/net/${BRIDGE} ] && [ -z "$(ls /sys/class/net/${BRIDGE}/brif)" ]; then ip link delete ${BRIDGE}; fi`;

/** Takes the bridge network off a node: only files, routes and rules that carry podnet's mark, and the bridge if no pod uses it. */
export const REMOVE_BRIDGE = `rm -f ${CONFLIST_PATH}
${REMOVE_HOST}${REMOVE_EMPTY_BRIDGE}
`;
