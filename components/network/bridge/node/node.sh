# The bridge-plus-routes network on a node: a conflist for the node's own pods, and podnet's own routes and egress rules.
# shellcheck shell=bash

# The runtime takes the first file of the folder by name, and reads *.conflist only.
conflist=/etc/cni/net.d/10-podnet.conflist

# A bridge that kept another CIDR's address breaks every new pod, and deleting it under living pods cuts them off.
refuse_stale_bridge() {
    local address
    [ -d "/sys/class/net/$BRIDGE" ] || return 0
    address=$(ip -o -4 address show dev "$BRIDGE" | awk '{ print $4; exit }')
    [ -n "$address" ] || return 0
    ! ip -4 route show table main proto kernel dev "$BRIDGE" | grep -F "$(value node-pod-cidr) " >/dev/null || return 0
    bridge_has_pods &&
        fail "$BRIDGE has address $address, outside the node's pod CIDR $(value node-pod-cidr), and pods are attached to it; drain the node and run the update again"
    ip link delete "$BRIDGE"
}

# The CNI network configuration list (https://www.cni.dev/docs/spec/, plugins bridge, host-local and portmap). Pods keep their
# addresses towards everyone (ipMasq off): what leaves the cluster is masqueraded by a table of podnet's own. hairpinMode lets a
# Service's only pod reach itself. Addresses are kept under /run, so that a node that lost its pods in a crash keeps none taken.
bridge_conflist() {
    cat <<END
{
  "cniVersion": "1.0.0",
  "name": "podnet",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "$BRIDGE",
      "isGateway": true,
      "ipMasq": false,
      "hairpinMode": true,
      "mtu": $MTU,
      "ipam": {
        "type": "host-local",
        "dataDir": "$RUN/ipam",
        "ranges": [[{ "subnet": "$(value node-pod-cidr)" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
END
}

install_bridge() {
    refuse_stale_bridge
    keep_routing routes
    # Written last, because the kubelet calls the node ready when it sees it.
    bridge_conflist | make_file "$conflist"
}

remove_bridge() {
    unmake_file "$conflist"
    drop_routing
    remove_empty_bridge
    remove_new /var/lib/cni/results/podnet-*
}
