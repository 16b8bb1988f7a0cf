const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

/** Environment of Cilium's programs; `apiServer` is `host:port` where they have to do without kube-proxy. */
export function environment(apiServer: string | undefined) {
  const [host = "", port = ""] = apiServer?.split(":") ?? [];
  return [
    field("K8S_NODE_NAME", "spec.nodeName"),
    field("CILIUM_K8S_NAMESPACE", "metadata.namespace"),
    ...(apiServer === undefined
      ? []
      : [
          { name: "KUBERNETES_SERVICE_HOST", value: host },
          { name: "KUBERNETES_SERVICE_PORT", value: port },
        ]),
  ];
}
