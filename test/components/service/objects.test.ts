import { expect, test } from "vitest";
import type { ValidService } from "../../../components/service/args";
import { serviceSpec, workloadSpec } from "../../../components/service/objects";

const web: ValidService = {
  serviceName: "web",
  namespace: "default",
  selector: { app: "web" },
  ports: [{ name: "main", port: 80, targetPort: 8080, protocol: "TCP" }],
  type: "ClusterIP",
  sessionAffinity: "None",
  publishNotReadyAddresses: false,
};

test("a Service says nothing that is Kubernetes' own default", () => {
  expect(serviceSpec(web)).toEqual({
    type: "ClusterIP",
    selector: { app: "web" },
    ports: [{ name: "main", port: 80, targetPort: 8080, protocol: "TCP" }],
  });
});

test("a Service says everything else", () => {
  expect(
    serviceSpec({
      ...web,
      type: "NodePort",
      sessionAffinity: "ClientIP",
      publishNotReadyAddresses: true,
      ports: [
        { name: "http", port: 80, targetPort: 8080, protocol: "TCP", nodePort: 30080 },
        { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" },
      ],
    }),
  ).toEqual({
    type: "NodePort",
    selector: { app: "web" },
    ports: [
      { name: "http", port: 80, targetPort: 8080, protocol: "TCP", nodePort: 30080 },
      { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" },
    ],
    sessionAffinity: "ClientIP",
    publishNotReadyAddresses: true,
  });
});

test("a headless Service is one without a ClusterIP", () => {
  expect(serviceSpec({ ...web, type: "Headless" })).toMatchObject({ type: "ClusterIP", clusterIP: "None" });
});

test("the workload's pods have the selector's labels and listen on each port once", () => {
  const spec = workloadSpec({
    ...web,
    image: "nginx:1.29",
    replicas: 3,
    ports: [
      { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" },
      { name: "http", port: 80, targetPort: 8080, protocol: "TCP" },
      { name: "http-alt", port: 8080, targetPort: 8080, protocol: "TCP" },
    ],
  });
  expect(spec).toMatchObject({
    replicas: 3,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web", "podnet.dev/service": "web" } } },
  });
  expect(spec.template.spec.containers).toEqual([
    {
      name: "main",
      image: "nginx:1.29",
      args: [],
      ports: [
        { containerPort: 5353, protocol: "UDP" },
        { containerPort: 8080, protocol: "TCP" },
      ],
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 2 },
    },
  ]);
});

test("a workload that listens on UDP alone has no readiness probe", () => {
  const spec = workloadSpec({
    ...web,
    image: "dns",
    ports: [{ name: "dns", port: 53, targetPort: 53, protocol: "UDP" }],
  });
  expect(spec.template.spec.containers[0]).not.toHaveProperty("readinessProbe");
});
