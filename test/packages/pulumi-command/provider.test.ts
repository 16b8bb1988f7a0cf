import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { localExit, quote, remoteExit, trimNewline } from "../../../packages/pulumi-command/src/gotext";
import { parseAuthorizedKey, parsePrivateKey } from "../../../packages/pulumi-command/src/keys";
import { globToRegExp } from "../../../packages/pulumi-command/src/assets";
import { diff, typeOf } from "../../../packages/pulumi-command/src/resources";
import { checkInputs, copySource } from "../../../packages/pulumi-command/src/check";
import { schemaJson } from "../../../packages/pulumi-command/src/schema";
import { resourceTypes } from "../../../packages/pulumi-command/src/types";
import { differences, isSecret, plain, signatureKey, unknownValue } from "../../../packages/pulumi-command/src/value";
import { keyPair } from "./sshd";

const secret = (value: unknown): object => ({ [signatureKey]: "1b47061264138c4ac30d75fd1eb44270", value });
const remote = resourceTypes["command:remote:Command"];
const copy = resourceTypes["command:remote:CopyToRemote"];

describe("check", () => {
  it("fills in the connection's defaults and its proxy's, and makes the connection and its keys secret", () => {
    const { inputs, failures } = checkInputs(remote, {
      create: "true",
      connection: { host: "h", privateKey: "k", dialErrorLimit: 3.9, proxy: { host: "p", password: "w", port: 2222 } },
    });
    expect(failures).toEqual([]);
    expect(inputs).toEqual({
      create: "true",
      connection: secret({
        host: "h",
        user: "root",
        port: 22,
        dialErrorLimit: 3,
        perDialTimeout: 15,
        privateKey: secret("k"),
        proxy: { host: "p", user: "root", port: 2222, dialErrorLimit: 10, perDialTimeout: 15, password: secret("w") },
      }),
    });
  });

  it("keeps secrets and unknowns where they are and drops nulls", () => {
    const { inputs, failures } = checkInputs(remote, {
      stdin: secret("s") as never,
      delete: null,
      environment: { A: unknownValue },
      connection: secret({ host: unknownValue, port: 0 }) as never,
    });
    expect(failures).toEqual([]);
    expect(inputs["stdin"]).toEqual(secret("s"));
    expect(inputs["environment"]).toEqual({ A: unknownValue });
    expect("delete" in inputs).toBe(false);
    expect(plain(inputs["connection"] ?? null)).toMatchObject({ host: unknownValue, port: 0, user: "root" });
    expect(checkInputs(remote, { connection: unknownValue }).inputs["connection"]).toEqual(secret(unknownValue));
  });

  it("forgets, as the official one does, that a secret is unknown, and makes of one among triggers a secret without a value", () => {
    const unknownSecret = secret(unknownValue) as never;
    const { inputs, failures } = checkInputs(remote, {
      stdin: unknownSecret,
      addPreviousOutputInEnv: unknownSecret,
      environment: { A: unknownSecret, B: unknownValue },
      triggers: [unknownSecret, unknownValue, secret("known") as never, [unknownSecret]],
      connection: unknownSecret,
    });
    expect(failures).toEqual([]);
    expect(inputs).toEqual({
      stdin: secret(""),
      addPreviousOutputInEnv: secret(false),
      environment: { A: secret(""), B: unknownValue },
      triggers: [
        { [signatureKey]: "1b47061264138c4ac30d75fd1eb44270" },
        unknownValue,
        secret("known"),
        [unknownSecret],
      ],
      connection: secret({ host: "", user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 }),
    });
    expect(checkInputs(remote, { connection: { host: "h" }, triggers: unknownSecret }).inputs["triggers"]).toEqual(
      secret([]),
    );
    expect(checkInputs(remote, { connection: { host: "h", privateKey: unknownSecret } }).inputs["connection"]).toEqual(
      secret({
        ...{ host: "h", user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 },
        privateKey: secret(""),
      }),
    );
  });

  it("names what is missing, unknown to it or of the wrong type, in the official provider's words, and still hides secrets", () => {
    const { inputs, failures } = checkInputs(remote, {
      create: 5,
      creat: "x",
      environment: { A: 1 },
      connection: { port: "22", password: "w" },
    });
    expect(failures).toEqual([
      {
        property: "create",
        reason: "Field 'create' on 'remote.CommandInputs' must be a 'string'; got 'float64' instead",
      },
      {
        property: "connection",
        reason:
          "An error occurred decoding 'CommandInputs.connection': 2 failures decoding:" +
          "\n\thost: Missing required field 'host' on 'remote.Connection'" +
          "\n\tport: Field 'port' on 'remote.Connection' must be a 'float64'; got 'string' instead",
      },
      {
        property: "environment[A] value",
        reason: "Field 'environment[A] value' on 'remote.CommandInputs' must be a 'string'; got 'float64' instead",
      },
      { property: "creat", reason: "Unrecognized field 'creat' on 'remote.CommandInputs'" },
    ]);
    expect(isSecret(inputs["connection"])).toBe(true);
    expect(checkInputs(resourceTypes["command:local:Command"], { interpreter: ["sh", 1] }).failures).toEqual([
      {
        property: "interpreter[1]",
        reason: "Field 'interpreter[1]' on 'local.CommandInputs' must be a 'string'; got 'float64' instead",
      },
    ]);
    expect(checkInputs(remote, {}).failures).toEqual([
      { property: "connection", reason: "Missing required field 'connection' on 'remote.CommandInputs'" },
    ]);
  });

  it("accepts for a copy a file, a folder and a text, and nothing else", () => {
    const asset = (value: object): never => ({ [signatureKey]: "c44067f5952c0a294b673a41bacd8c17", ...value }) as never;
    const archive = (value: object): never =>
      ({ [signatureKey]: "0def7320c3a5731c473e5ecbe6d01bc7", ...value }) as never;
    const check = (source: never): unknown =>
      checkInputs(copy, { connection: { host: "h" }, remotePath: "/x", source }).failures;
    expect(copySource(asset({ path: "/f", hash: "1" }))).toEqual({ path: "/f" });
    expect(copySource(asset({ text: "t", hash: "1" }))).toEqual({ text: "t" });
    expect(check(archive({ path: "/d", hash: "1" }))).toEqual([]);
    expect(check(asset({ uri: "http://x", hash: "1" }))).toEqual([
      { property: "asset", reason: "asset must be a path-based file asset or a text asset" },
    ]);
    expect(check(archive({ assets: {}, hash: "1" }))).toEqual([
      { property: "archive", reason: "archive must be a path to a file or directory" },
    ]);
    expect(check(asset({ text: "" }))).toEqual([]);
    expect(check(asset({ text: "", hash: "1" }))).toEqual([
      { property: "asset", reason: "asset must be a path-based file asset or a text asset" },
    ]);
  });

  it("refuses a copy whose source is not known yet, as the official one does", () => {
    const unset = { property: "asset", reason: "either asset or archive must be set" };
    const check = (source: unknown, connection: object = { host: "h" }): ReturnType<typeof checkInputs> =>
      checkInputs(copy, { connection, remotePath: "/x", source } as never);
    expect(check(unknownValue)).toMatchObject({ failures: [unset], inputs: { source: unknownValue } });
    expect(check(secret(unknownValue))).toMatchObject({ failures: [unset], inputs: { source: secret({}) } });
    expect(check("text").failures).toEqual([unset]);
    expect(check(secret(3)).failures).toEqual([unset]);
    expect(check({}).failures).toEqual([unset]);
    const failed = (property: string, reason: string): object[] => [{ property, reason }, unset];
    expect(check(null).failures).toEqual(
      failed("source", "Missing required field 'source' on 'remote.CopyToRemoteInputs'"),
    );
    expect(check([]).failures).toEqual(
      failed(
        "source",
        "Field 'source' on 'remote.CopyToRemoteInputs' must be a 'types.AssetOrArchive'; got '[]interface {}' instead",
      ),
    );
    expect(check({ a: 1 }).failures).toEqual(
      failed(
        "source",
        "An error occurred decoding 'CopyToRemoteInputs.source': 1 failures decoding:" +
          "\n\ta: Unrecognized field 'a' on 'types.AssetOrArchive'",
      ),
    );
    expect(check(unknownValue, {}).failures).toEqual(
      failed(
        "connection",
        "An error occurred decoding 'CopyToRemoteInputs.connection': 1 failures decoding:" +
          "\n\thost: Missing required field 'host' on 'remote.Connection'",
      ),
    );
  });
});

describe("diff", () => {
  const type = "command:remote:Command";
  const entries = (before: object, after: object, ignore: string[] = []): unknown =>
    Object.fromEntries([...diff(type, before as never, undefined, after as never, ignore)]);

  it("finds nothing where nothing changed, whatever the outputs are", () => {
    const inputs = { create: "a", connection: secret({ host: "h", password: secret("p") }), environment: { A: "1" } };
    expect(entries({ ...inputs, stdout: "x", stderr: "" }, { ...inputs, version: "1.2.1", __defaults: [] })).toEqual(
      {},
    );
  });

  it("shows changes by path; only triggers that appear or disappear replace by themselves", () => {
    expect(
      entries(
        { create: "a", triggers: [1, 2], environment: { A: "1", "b.c": "2" }, connection: secret({ host: "h" }) },
        { create: "b", triggers: [1, 3], environment: { A: "1" }, connection: secret({ host: "i" }), delete: "d" },
      ),
    ).toEqual({
      create: { kind: "update", replaces: false },
      "triggers[1]": { kind: "update", replaces: false },
      'environment["b.c"]': { kind: "delete", replaces: false },
      connection: { kind: "update", replaces: false },
      delete: { kind: "add", replaces: false },
    });
    expect(entries({}, { triggers: [1] })).toEqual({ triggers: { kind: "add", replaces: true } });
    expect(entries({ triggers: [1] }, {})).toEqual({ triggers: { kind: "delete", replaces: true } });
  });

  it("leaves out what is to be ignored", () => {
    expect(entries({ create: "a" }, { create: "b" }, ["create"])).toEqual({});
  });

  it("replaces a CopyFile on any change", () => {
    const found = diff("command:remote:CopyFile", { localPath: "a" }, undefined, { localPath: "b" }, []);
    expect([...found]).toEqual([["localPath", { kind: "update", replaces: true }]]);
  });

  it("compares assets by their hash", () => {
    const asset = (hash: string, rest: object): never =>
      ({ [signatureKey]: "c44067f5952c0a294b673a41bacd8c17", hash, ...rest }) as never;
    expect(differences({ source: asset("1", {}) }, { source: asset("1", { path: "/f" }) }).size).toBe(0);
    expect([...differences({ source: asset("1", {}) }, { source: asset("2", {}) })]).toEqual([["source", "update"]]);
  });
});

describe("texts", () => {
  it("quotes as Go does", () => {
    expect(quote('a "b"\n\t\\ é 日 \u0000\u007f\u200b\u{1F600}\u{E0001}')).toBe(
      '"a \\"b\\"\\n\\t\\\\ é 日 \\x00\\x7f\\u200b\u{1F600}\\U000e0001"',
    );
  });

  it("tells how processes ended as Go does", () => {
    expect(localExit(0, null)).toBeUndefined();
    expect(localExit(3, null)).toBe("exit status 3");
    expect(localExit(null, "SIGKILL")).toBe("signal: killed");
    expect(remoteExit({ code: 0 })).toBeUndefined();
    expect(remoteExit({ code: 7 })).toBe("Process exited with status 7");
    expect(remoteExit({ code: null, signal: "SIGTERM", description: "why" })).toBe(
      "Process exited with status 143 from signal TERM. Reason was: why",
    );
    expect(["a\n", "a\n\n", "\na", ""].map(trimNewline)).toEqual(["a", "a\n", "\na", ""]);
  });

  it("reads a URN's type below its parents' and refuses types that it does not serve", () => {
    expect(typeOf("urn:pulumi:s::p::podnet:index:Lab$command:local:Command::a::b")).toBe("command:local:Command");
    expect(() => typeOf("urn:pulumi:s::p::command:local:Other::a")).toThrow(
      /unknown resource type command:local:Other/,
    );
  });

  it("turns globs into expressions", () => {
    const matches = (glob: string, paths: string[]): string[] => paths.filter((path) => globToRegExp(glob).test(path));
    const paths = ["a.js", "src/a.js", "src/b/c.js", "src/secret.js", "x+y", "[z]"];
    expect(matches("*.js", paths)).toEqual(["a.js"]);
    expect(matches("src/**.js", paths)).toEqual(["src/a.js", "src/b/c.js", "src/secret.js"]);
    expect(matches("**secret.*", paths)).toEqual(["src/secret.js"]);
    expect(matches("{a,src/?}.js", paths)).toEqual(["a.js", "src/a.js"]);
    expect(matches("[!b].js", paths)).toEqual(["a.js"]);
    expect(matches("x+y", paths)).toEqual(["x+y"]);
    expect(matches("\\[z\\]", paths)).toEqual(["[z]"]);
    expect(matches("[a\\]é-]", ["a", "]", "é", "-", "b", "\\"])).toEqual(["a", "]", "é", "-"]);
    expect(matches("a-b\\", ["a-b", "a-b\\"])).toEqual(["a-b"]);
  });

  it("takes a brace that is not closed for one that is, and refuses such a bracket, as the official one does", () => {
    const matches = (glob: string): string[] =>
      ["a", "a1", "b1", "c", "{a", ""].filter((path) => globToRegExp(glob).test(path));
    expect(matches("{a")).toEqual(["a"]);
    expect(matches("{a1,{b1,c}")).toEqual(["a1", "b1", "c"]);
    expect(matches("a{1,2")).toEqual(["a1"]);
    expect(matches("{a1,")).toEqual(["a1", ""]);
    for (const [glob, error] of [
      ["[a", "unexpected end of input"],
      ["{[a-", "unexpected end of input"],
      ["[a-]", "unexpected end of input"],
      ["[]", "could not parse range"],
      ["[!]", "could not parse range"],
      ["[a-cz]", "expected close range character"],
      ["[c-a]", "hi character 'a' should be greater than lo 'c'"],
    ] as const) {
      expect(() => globToRegExp(glob)).toThrow(new Error(error));
    }
  });
});

describe("keys", () => {
  const folder = mkdtempSync(join(tmpdir(), "command-provider-keys-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("reads an authorized_keys line with comments and options around it", () => {
    const line = keyPair().public;
    const blob = Buffer.from(line.split(" ")[1] ?? "", "base64");
    for (const text of [line, `# host\n\n${line} a comment\n`, `no-pty,command="echo \\"a b\\"" ${line}`]) {
      expect(parseAuthorizedKey(text)).toEqual({ type: "ssh-ed25519", blob });
    }
    expect(() => parseAuthorizedKey("ssh-ed25519\n")).toThrow("ssh: no key found");
  });

  it.each(["rsa", "ec", "ed25519"] as const)("reads %s keys in PKCS #8", (kind) => {
    const options = {
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    };
    const generate = generateKeyPairSync as unknown as (kind: string, options: object) => { privateKey: string };
    const { privateKey } = generate(kind, { ...options, modulusLength: 2048, namedCurve: "P-256" });
    const parsed = parsePrivateKey(privateKey, undefined);
    const data = Buffer.from("data");
    expect(parsed.verify(data, parsed.sign(data))).toBe(true);
  });

  it.each([
    ["OpenSSH", "rsa", []],
    ["OpenSSH", "ed25519", []],
    ["PEM", "rsa", ["-m", "PEM"]],
    ["PEM", "ecdsa", ["-m", "PEM"]],
  ] as const)("reads %s %s keys with and without a passphrase", (format, kind, options) => {
    const make = (name: string, passphrase: string): string => {
      const file = join(folder, `${format}-${kind}-${name}`);
      execFileSync("ssh-keygen", ["-q", "-t", kind, ...options, "-N", passphrase, "-f", file]);
      return readFileSync(file, "utf8");
    };
    const [open, locked] = [make("open", ""), make("locked", "secret phrase")];
    expect(parsePrivateKey(open.replaceAll("\n", "\r\n"), undefined).isPrivateKey()).toBe(true);
    expect(parsePrivateKey(locked, "secret phrase").isPrivateKey()).toBe(true);
    const unneeded = format === "PEM" ? "ssh: not an encrypted key" : "ssh: key is not password protected";
    expect(() => parsePrivateKey(open, "secret phrase")).toThrow(new Error(unneeded));
    expect(() => parsePrivateKey(open, "")).toThrow(new Error(unneeded));
    const empty = format === "PEM" ? "x509: decryption password incorrect" : "bcrypt_pbkdf: empty password";
    expect(() => parsePrivateKey(locked, "")).toThrow(new Error(empty));
    expect(() => parsePrivateKey(locked, undefined)).toThrow("ssh: this private key is passphrase protected");
    expect(() => parsePrivateKey(locked, "wrong")).toThrow("x509: decryption password incorrect");
  });

  it("refuses what is no key", () => {
    expect(() => parsePrivateKey("nonsense", undefined)).toThrow("ssh: no key found");
    expect(() => parsePrivateKey("-----BEGIN X-----\nAA==\n-----END X-----", undefined)).toThrow(
      'unsupported key type "X"',
    );
  });
});

describe("schema", () => {
  it("has every input of the SDK that it stands in for", () => {
    const schema = JSON.parse(schemaJson()) as {
      version: string;
      resources: Record<string, { inputProperties: object }>;
    };
    const folder = join(__dirname, "../../../node_modules/@pulumi/command");
    const inputsIn = (file: string): string[] => {
      const source = readFileSync(join(folder, file), "utf8");
      return [...source.matchAll(/resourceInputs\["(\w+)"\] = .*args/g)].map((match) => match[1] ?? "").sort();
    };
    expect(schema.version).toBe("1.2.1");
    for (const [token, file] of [
      ["command:local:Command", "local/command.js"],
      ["command:remote:Command", "remote/command.js"],
      ["command:remote:CopyToRemote", "remote/copyToRemote.js"],
      ["command:remote:CopyFile", "remote/copyFile.js"],
    ] as const) {
      expect(Object.keys(schema.resources[token]?.inputProperties ?? {}).sort()).toEqual(inputsIn(file));
      expect(inputsIn(file).length).toBeGreaterThan(2);
    }
  });
});

describe("the package", () => {
  it("asks for the versions that the one lock file installs", () => {
    const root = join(__dirname, "../../..");
    const json = (file: string): unknown => JSON.parse(readFileSync(join(root, file), "utf8"));
    const { packages } = json("package-lock.json") as { packages: Record<string, { version: string }> };
    const own = json("packages/pulumi-command/package.json") as Record<string, Record<string, string>>;
    const wanted = { ...own["dependencies"], ...own["devDependencies"] };
    const locked = Object.keys(wanted).map((name) => [name, packages[`node_modules/${name}`]?.version]);
    expect(Object.fromEntries(locked)).toEqual(wanted);
    expect(Object.keys(own["dependencies"] ?? {})).toEqual(["@pulumi/pulumi", "ssh2"]);
  });
});
