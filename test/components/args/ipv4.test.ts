import { describe, expect, it } from "vitest";
import * as fc from "fast-check";
import {
  addressAt,
  contains,
  formatCidr,
  formatIpv4,
  overlaps,
  parseCidr,
  parseIpv4,
  subnet,
  subnetCount,
} from "../../../components/args/ipv4";

describe("parseIpv4", () => {
  it("reads dotted quads and writes them back", () => {
    expect(parseIpv4("255.255.255.255")).toBe(4294967295);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (address) => parseIpv4(formatIpv4(address)) === address),
    );
  });
  it.each(["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "010.0.0.1", "1.2.3.x", "1.2.3.-4", " 1.2.3.4", "::1"])(
    "refuses %j",
    (text) => {
      expect(() => parseIpv4(text)).toThrow(
        `"${text}" is not an IPv4 address such as 10.0.0.1 (four numbers 0 to 255, no leading zeros)`,
      );
    },
  );
});

describe("parseCidr", () => {
  it("reads a network", () => {
    expect(parseCidr("10.244.0.0/16")).toEqual({ base: 183762944, prefix: 16 });
    expect(parseCidr("0.0.0.0/0")).toEqual({ base: 0, prefix: 0 });
    expect(formatCidr(parseCidr("192.168.1.128/25"))).toBe("192.168.1.128/25");
  });
  it("names the network that was meant when host bits are set", () => {
    expect(() => parseCidr("10.244.1.7/16")).toThrow('"10.244.1.7/16" has host bits set; did you mean 10.244.0.0/16?');
  });
  it.each(["10.244.0.0", "10.244.0.0/33", "10.244.0.0/016", "10.244.0/16", "010.244.0.0/16", "x/8"])(
    "refuses %j",
    (text) => {
      expect(() => parseCidr(text)).toThrow(`"${text}" is not an IPv4 CIDR such as 10.244.0.0/16`);
    },
  );
});

describe("networks", () => {
  const pods = parseCidr("10.244.0.0/16");
  it("counts and numbers subnets", () => {
    expect(subnetCount(pods, 24)).toBe(256);
    expect(subnetCount(pods, 8)).toBe(0);
    expect(formatCidr(subnet(pods, 24, 255))).toBe("10.244.255.0/24");
    expect(() => subnet(pods, 24, 256)).toThrow("10.244.0.0/16 has 256 subnets of /24, there is no number 256");
    expect(formatIpv4(addressAt(subnet(pods, 24, 2), 1))).toBe("10.244.2.1");
    expect(() => addressAt(pods, 65536)).toThrow(RangeError);
  });
  it("tells overlap and membership", () => {
    expect(overlaps(pods, parseCidr("10.0.0.0/8"))).toBe(true);
    expect(overlaps(parseCidr("10.0.0.0/8"), pods)).toBe(true);
    expect(overlaps(pods, parseCidr("10.245.0.0/16"))).toBe(false);
    expect(contains(pods, parseIpv4("10.244.255.255"))).toBe(true);
    expect(contains(pods, parseIpv4("10.245.0.0"))).toBe(false);
  });
});
