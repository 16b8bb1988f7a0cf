import { expect, test } from "vitest";
import { AGNHOST_IMAGE } from "../../../components/node/releases";
import { answersName, checkedService } from "../../../components/service/checked";

const tcp = (targetPort: number) => ({ protocol: "TCP", targetPort }) as const;
const udp = (targetPort: number) => ({ protocol: "UDP", targetPort }) as const;

test.each([
  ["its default port", ["netexec"], tcp(8080), true],
  ["its default port for UDP", ["netexec"], udp(8081), true],
  ["another port than its default one", ["netexec"], tcp(80), false],
  ["the port that it is given", ["netexec", "--http-port=80"], tcp(80), true],
  ["the port that it is given as a word of its own", ["netexec", "--udp-port", "53"], udp(53), true],
  ["the default port, when it is given another", ["netexec", "--http-port=80"], tcp(8080), false],
  ["the TCP port by UDP", ["netexec", "--http-port=80"], udp(80), false],
  ["a port with TLS", ["netexec", "--tls-cert-file=/x", "--http-port=80"], tcp(80), false],
  ["a port of another of its programs", ["pause"], tcp(8080), false],
] as const)("agnhost answers with its name on %s", (_, args, port, expected) => {
  expect(answersName(AGNHOST_IMAGE, args, port)).toBe(expected);
});

test("of another image, or pods of somebody else's, nothing is known", () => {
  expect(answersName("nginx:1.29", ["netexec"], tcp(8080))).toBe(false);
  expect(answersName(undefined, [], tcp(8080))).toBe(false);
});

test("a node port that is not known is no check without it", () => {
  const web = {
    namespace: "default",
    name: "web",
    type: "NodePort",
    clusterIP: "10.96.7.7",
    selector: { app: "web" },
    sessionAffinity: "None",
    publishNotReadyAddresses: false,
    ports: [{ name: "main", port: 80, targetPort: 80, protocol: "TCP", answersName: false }],
  };
  expect(checkedService.safeParse(web).error?.issues.map(({ message }) => message)).toEqual([
    "a Service of type NodePort has a node port for each of its ports",
  ]);
});
