import { AGENT_LABEL, NETWORK_LABEL, type NetworkDefinition } from "../definition";
import { ciliumConfig, type CiliumInput } from "./config";
import { CILIUM_IMAGES } from "./definition";
import { environment } from "./environment";

/** Labels that select the pods of Cilium's operator. */
export const CILIUM_OPERATOR_LABELS = { "io.cilium/app": "operator", name: "cilium-operator" };

/** Pod template of Cilium's operator, as its chart's Deployment has it. */
export function ciliumOperatorTemplate(definition: NetworkDefinition, input: CiliumInput) {
  const probe = { httpGet: { host: "127.0.0.1", path: "/healthz", port: 9234, scheme: "HTTP" }, timeoutSeconds: 3 };
  return {
    metadata: {
      labels: { ...CILIUM_OPERATOR_LABELS, "app.kubernetes.io/part-of": "cilium", [AGENT_LABEL]: definition.kind },
      annotations: { "podnet.dev/files": JSON.stringify(ciliumConfig(input)) },
    },
    spec: {
      nodeSelector: { "kubernetes.io/os": "linux", [NETWORK_LABEL]: definition.id },
      hostNetwork: true,
      priorityClassName: "system-cluster-critical",
      serviceAccountName: "cilium-operator",
      tolerations: [{ operator: "Exists" }],
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: "cilium-operator",
          image: CILIUM_IMAGES.operator,
          imagePullPolicy: "IfNotPresent",
          command: ["cilium-operator-generic"],
          args: ["--config-dir=/tmp/cilium/config-map", "--debug=$(CILIUM_DEBUG)"],
          env: [...environment(input.apiServer), { name: "CILIUM_DEBUG", value: "false" }],
          livenessProbe: { ...probe, initialDelaySeconds: 60, periodSeconds: 10 },
          readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 5 },
          terminationMessagePolicy: "FallbackToLogsOnError",
          volumeMounts: [{ name: "cilium-config-path", mountPath: "/tmp/cilium/config-map", readOnly: true }],
        },
      ],
      volumes: [{ name: "cilium-config-path", configMap: { name: "cilium-config" } }],
    },
  };
}
