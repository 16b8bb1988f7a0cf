import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utils } from "ssh2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readableHostKey } from "../../../components/machine/hostKey";
import { privateKeyProblems, readablePrivateKey } from "../../../components/machine/keys";
import { parseAuthorizedKey, parsePrivateKey } from "../../../packages/pulumi-command/src/keys";

const folder = mkdtempSync(join(tmpdir(), "podnet-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A key file as ssh-keygen writes it, and its public key. */
function keygen(name: string, kind: string, passphrase = "", ...options: string[]): { file: string; pub: string } {
  const path = join(folder, name);
  execFileSync("ssh-keygen", ["-q", "-t", kind, ...options, "-C", "", "-N", passphrase, "-f", path]);
  return { file: readFileSync(path, "utf8"), pub: readFileSync(`${path}.pub`, "utf8").trim() };
}

function pkcs8(kind: "rsa" | "ec" | "ed25519", passphrase?: string): { file: string; open: Buffer } {
  const privateKeyEncoding = {
    ...{ type: "pkcs8", format: "pem" },
    ...(passphrase !== undefined && { cipher: "aes-256-cbc", passphrase }),
  };
  const generate = generateKeyPairSync as unknown as (
    kind: string,
    options: object,
  ) => { privateKey: string; publicKey: string };
  const publicKeyEncoding = { type: "spki", format: "der" };
  const made = generate(kind, { privateKeyEncoding, publicKeyEncoding, modulusLength: 2048, namedCurve: "P-256" });
  return { file: made.privateKey, open: made.publicKey as unknown as Buffer };
}

interface Parsed {
  isPrivateKey(): boolean;
  getPublicSSH(): Buffer;
}

/** The public key, as both libraries read it from a private one: ssh2 as podnet's own SSH has it, and the plugin's reading. */
function publicOf(text: string): string {
  const seen: unknown = utils.parseKey(text);
  const own = (Array.isArray(seen) ? (seen as unknown[])[0] : seen) as Parsed;
  const plugins = parsePrivateKey(text, undefined);
  expect([own.isPrivateKey(), plugins.isPrivateKey()]).toEqual([true, true]);
  expect(plugins.getPublicSSH().equals(own.getPublicSSH())).toBe(true);
  return own.getPublicSSH().toString("base64");
}

const problem = (text: string, passphrase?: string) =>
  privateKeyProblems(text, passphrase).map(({ path, message }) => `${path}: ${message}`);

describe("a private key", () => {
  let plain = { file: "", pub: "" };
  let base64 = "";
  beforeAll(() => {
    plain = keygen("plain", "ed25519");
    base64 = plain.pub.split(" ")[1] ?? "";
  });

  test("that both libraries read stays as it was given, byte for byte", () => {
    const kinds = [plain, keygen("rsa", "rsa", "", "-b", "2048"), keygen("pem", "ecdsa", "", "-m", "PEM")];
    for (const { file, pub } of kinds) {
      expect(readablePrivateKey(file)).toBe(file);
      expect(readablePrivateKey(file.trim())).toBe(file.trim());
      expect(publicOf(file)).toBe(pub.split(" ")[1]);
    }
  });

  test.each<[string, (file: string) => string]>([
    ["with Windows line ends", (file) => file.replaceAll("\n", "\r\n")],
    ["on one line with \\n", (file) => file.replaceAll("\n", "\\n")],
    ["on one line with \\r\\n", (file) => file.replaceAll("\n", "\\r\\n")],
    ["on one line with spaces", (file) => file.trim().replaceAll("\n", " ")],
    ["indented, as YAML has it", (file) => file.replaceAll(/^/gm, "    ")],
    ["after a byte order mark", (file) => `\uFEFF${file}`],
    ["after spaces", (file) => `  ${file}`],
    ["before a byte order mark", (file) => `${file.trim()}\uFEFF`],
    ["with the first half of a Windows line end", (file) => `${file.trim()}\r`],
    ["in quotes", (file) => JSON.stringify(file)],
    [
      "after another block, as openssl leaves it",
      (file) => `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${file}`,
    ],
    ["with tabs and spaces at line ends", (file) => file.replaceAll("\n", " \t\n")],
    ["with other text around it", (file) => `# my key\n${file}\n# end\n`],
  ])("is read %s", (_, change) => {
    const key = readablePrivateKey(change(plain.file));
    expect(key).toBe(plain.file);
    expect(publicOf(key)).toBe(base64);
  });

  test.each(["rsa", "ec", "ed25519"] as const)("in PKCS #8 is read, with and without a passphrase: %s", (kind) => {
    const open = pkcs8(kind);
    const locked = pkcs8(kind, "se cret");
    expect(publicOf(readablePrivateKey(open.file))).not.toBe("");
    expect(publicOf(readablePrivateKey(locked.file, "se cret"))).not.toBe("");
    expect(publicOf(readablePrivateKey(locked.file.replaceAll("\n", "\\n"), "se cret"))).not.toBe("");
    expect(problem(locked.file, "wrong")).toEqual(["privateKeyPassword: does not open the private key"]);
    expect(problem(locked.file)).toEqual([
      "privateKeyPassword: is required: the private key is protected by a passphrase; give it, or take it off a copy: ssh-keygen -p -f COPY",
    ]);
  });

  test.each([
    ["OpenSSH ed25519", "ed25519", []],
    ["OpenSSH rsa", "rsa", ["-b", "2048"]],
    ["OpenSSH ecdsa", "ecdsa", []],
    ["PEM rsa", "rsa", ["-b", "2048", "-m", "PEM"]],
    ["PEM ecdsa", "ecdsa", ["-m", "PEM"]],
  ] as const)("with a passphrase is opened once, here: %s", (name, kind, options) => {
    const { file, pub } = keygen(`locked ${name}`, kind, "se cret", ...options);
    const key = readablePrivateKey(file, "se cret");
    expect(publicOf(key)).toBe(pub.split(" ")[1]);
    expect(problem(file, "wrong")).toEqual(["privateKeyPassword: does not open the private key"]);
    expect(problem(file)).toEqual([
      "privateKeyPassword: is required: the private key is protected by a passphrase; give it, or take it off a copy: ssh-keygen -p -f COPY",
    ]);
  });

  test("without a passphrase takes none, which the plugin would refuse", () => {
    expect(readablePrivateKey(plain.file, "not needed")).toBe(plain.file);
    expect(readablePrivateKey(plain.file, "")).toBe(plain.file);
    expect(publicOf(readablePrivateKey(pkcs8("ed25519").file, "not needed"))).not.toBe("");
  });

  test("that is none is named as what it is, and nothing of it is told", () => {
    const lines = plain.file.split("\n");
    const whole = 'is it whole? "ssh-keygen -y -f FILE" must print its public key';
    expect(
      [plain.pub, "~/.ssh/id_ed25519", "PuTTY-User-Key-File-2: ssh-ed25519\n", "", "nonsense"].map((text) =>
        problem(text),
      ),
    ).toEqual([
      ["privateKey: is a public key; give the private one, the file without .pub"],
      ["privateKey: is a path; give what the file holds"],
      ["privateKey: is in PuTTY's form; write it in OpenSSH's: puttygen KEY.ppk -O private-openssh -o KEY"],
      ["privateKey: must be a private key in OpenSSH or PEM form"],
      ["privateKey: must be a private key in OpenSSH or PEM form"],
    ]);
    expect(problem(lines.slice(0, 3).join("\n"))).toEqual([
      "privateKey: is cut off: its last line, -----END ... PRIVATE KEY-----, is missing",
    ]);
    expect(problem(lines.filter((_, index) => index !== 2).join("\n"))).toEqual([
      `privateKey: cannot be read (Malformed OpenSSH private key); ${whole}`,
    ]);
    expect(problem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")).toEqual([
      'privateKey: cannot be read; is it whole? "openssl pkey -noout -in FILE" must read it',
    ]);
    const { privateKey } = generateKeyPairSync("x25519", {
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    expect(problem(privateKey)).toEqual([
      "privateKey: is a key of the kind x25519, which SSH does not know; use ed25519, ecdsa or rsa",
    ]);
  });
});

describe("a host key", () => {
  let [ed25519, ecdsa, rsa] = ["", "", ""];
  beforeAll(() => {
    ed25519 = keygen("host-ed25519", "ed25519").pub;
    ecdsa = keygen("host-ecdsa", "ecdsa").pub;
    rsa = keygen("host-rsa", "rsa", "", "-b", "2048").pub;
  });
  const pinned = (text: string): string => parseAuthorizedKey(readableHostKey(text)).blob.toString("base64");
  const keyOf = (line: string): string => line.split(" ")[1] ?? "";

  test("on one line stays as it was given", () => {
    for (const line of [ed25519, ecdsa, `${ed25519} root@cp`, `${ed25519}\r`, `${ed25519} `]) {
      expect(readableHostKey(line)).toBe(line);
    }
  });

  test.each<[string, (line: string) => string]>([
    ["after spaces", (line) => `  ${line}`],
    ["after a tab", (line) => `\t${line}`],
    ["after a byte order mark", (line) => `\uFEFF${line}`],
    ["before a byte order mark", (line) => `${line}\uFEFF`],
    ["with two spaces in it", (line) => line.replace(" ", "  ")],
    ["with a tab in it", (line) => line.replace(" ", "\t")],
    ["with a comment after a tab", (line) => `\t${line}\troot@cp`],
    ["behind names and a tab", (line) => `cp,192.0.2.10\t${line.replace(" ", " \t")}\n`],
  ])("%s is read as OpenSSH reads it, and left as every library reads it", (_, change) => {
    expect(readableHostKey(change(ed25519))).toBe(ed25519);
  });

  test("is taken from known_hosts, from a file with other keys, and from what ssh-keyscan prints", () => {
    expect(readableHostKey(`cp.example ${ed25519}`)).toBe(ed25519);
    expect(readableHostKey(`# cp:22 SSH-2.0\r\ncp ${rsa}\r\ncp ${ed25519}\r\n`)).toBe(ed25519);
    expect(readableHostKey(`${rsa} root@cp\n${ecdsa} root@cp\n${ed25519} root@cp\n`)).toBe(ecdsa);
    expect(readableHostKey(`|1|abc=|def= ${ed25519}`)).toBe(ed25519);
    expect(readableHostKey(`${ed25519}\n`)).toBe(ed25519);
    expect(pinned(`${rsa}\n${ed25519}\n`)).toBe(keyOf(ed25519));
  });

  test("that no library could use is named as what it is", () => {
    const meant = "must be a public key as in /etc/ssh/ssh_host_ed25519_key.pub on the machine";
    expect(() => readableHostKey(rsa)).toThrow(
      "is a key of the kind ssh-rsa, with which the command plugin asks for signatures that sshd refuses; pin another of the machine's keys: /etc/ssh/ssh_host_ed25519_key.pub",
    );
    for (const text of [
      "",
      "nonsense",
      "SHA256:uNiVztksCsDhcc0u9e8BrrwEbS4l9ANb",
      "ssh-ed25519",
      `@revoked cp ${ed25519}`,
    ]) {
      expect(() => readableHostKey(text)).toThrow(meant);
    }
    const broken = `cannot be read (Malformed OpenSSH public key); is it whole? ${meant}`;
    expect(() => readableHostKey(ed25519.slice(0, 50))).toThrow(broken);
    expect(() => readableHostKey(ed25519.replace("ssh-ed25519", "ecdsa-sha2-nistp256"))).toThrow(broken);
    expect(() => readableHostKey(keygen("mistaken", "ed25519").file)).toThrow(
      "is a private key; give the public one, the file with .pub",
    );
  });
});
