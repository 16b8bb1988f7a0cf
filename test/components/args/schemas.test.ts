import fc from "fast-check";
import { expect, test } from "vitest";
import type { z } from "zod";
import { dnsLabel, hostName, image, isLabelKey, isLabelValue, mirrorUrl } from "../../../components/args/schemas";
import { validate } from "../../../components/args/validate";
import { checkInput } from "../../../components/connectivity/input";
import { dialTable } from "../../../components/machine/dialTable";
import { dialled } from "../../../components/machine/dialled";
import { endpointsInput } from "../../../components/service/input";

test("no name, image, label or URL holds what a shell or the node program would read as its own", () => {
  const special = fc.tuple(
    fc.string(),
    fc.constantFrom("'", '"', "`", "$", "\\", "\n", ";", "&", "|", " "),
    fc.string(),
  );
  fc.assert(
    fc.property(special, (parts) => {
      const text = parts.join("");
      expect(dnsLabel.safeParse(text).success).toBe(false);
      expect(image.safeParse(text).success).toBe(false);
      expect(mirrorUrl.safeParse(text).success).toBe(false);
      expect(isLabelKey(text)).toBe(false);
      expect(isLabelValue(text)).toBe(false);
    }),
  );
});

test.each([
  "192.0.2.10",
  "cp",
  "cp.example.com",
  "CP-1.Example.com",
  "1.example.com",
  "2001:db8::10",
  `${"a".repeat(63)}.example`,
])("takes %s as a machine's name or address", (host) => {
  expect(hostName.safeParse(host).error).toBeUndefined();
});

const messageOf = (host: string): string | undefined => hostName.safeParse(host).error?.issues[0]?.message;

test.each([
  "",
  "cp..example.com",
  ".example.com",
  "example.com.",
  " cp",
  "cp ",
  "-cp",
  "cp-.example.com",
  "my_host",
  "192.0.2.300",
  "192.0.2",
  "192.0.2.010",
  "2001:db8::1::2",
  "fe80::1%eth0",
  "::1",
  `${"a".repeat(64)}.example`,
  `${"a.".repeat(127)}com`,
  "$(id)",
])("refuses %j as one", (host) => {
  expect(messageOf(host)).toMatch(/^must be a host name such as cp\.example\.com, or an IP address, got "/);
});

test.each([
  ["cp.example.com:2222", "2222"],
  ["192.0.2.10:22", "22"],
  ["[2001:db8::10]:22", "22"],
])("says where the port of %s belongs", (host, port) => {
  expect(messageOf(host)).toBe(
    `must be a host name or an IP address alone, got ${JSON.stringify(host)}; give ${port} as "port"`,
  );
});

test("every schema of something secret says a value's type alone", () => {
  const dialTables = { keys: { key1: 12345678 }, nodes: {} };
  const said = [
    [dialTable, dialTables],
    [dialled.pick({ privateKey: true }), { privateKey: 12345678 }],
    [checkInput.pick({ kubeconfig: true }), { kubeconfig: 12345678 }],
    [endpointsInput.pick({ kubeconfig: true }), { kubeconfig: 12345678 }],
  ].map(([schema, value]) => {
    try {
      validate("input", schema as z.ZodType, value);
    } catch (error) {
      return String(error);
    }
    return "";
  });
  expect(said).toEqual(
    ["keys.key1", "privateKey", "kubeconfig", "kubeconfig"].map(
      (path) => `InvalidInputError: invalid input: ${path}: must be a string, got a number`,
    ),
  );
});

const SHA256 = `sha256:${"0123456789abcdef".repeat(4)}`;

test.each([
  "nginx",
  "nginx:1.29",
  "library/nginx",
  "localhost/web",
  "localhost:5000/web:1",
  "192.0.2.1/none:1",
  "127.0.0.1:1/none:1",
  "registry.k8s.io/e2e-test-images/agnhost:2.63.0",
  "Registry.Example.com:5000/team_a/web--x/a.b__c:V1.0_rc-1",
  `registry.example.com:5000/web:1@${SHA256}`,
  `web@${SHA256}`,
])("an image may be called %s", (name) => {
  expect(image.safeParse(name).success).toBe(true);
});

test.each([
  "",
  "Nginx",
  "nginx:",
  "nginx:1.29:2",
  "nginx:-1",
  "library//nginx",
  "/nginx",
  "nginx/",
  "registry.example.com/",
  "registry.example.com/Web",
  "Team/web",
  "registry.example.com:/web",
  "registry.example.com:port/web",
  "web-",
  "web..x",
  "web@",
  "web@sha256:0123",
  `web@${SHA256.toUpperCase()}`,
  `web:${"1".repeat(129)}`,
])("no image can be called %j", (name) => {
  const { error } = image.safeParse(name);
  expect(error?.issues.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^must be an image reference such as registry\.k8s\.io\/pause:3\.10\.1 .*, got "/),
  ]);
});
