import { createPrivateKey } from "node:crypto";
import { utils, type ParsedKey } from "ssh2";
import { quote } from "./gotext";

/** A public key as SSH sends it. */
export interface PublicKey {
  /** Algorithm, such as `ssh-ed25519`. */
  readonly type: string;
  readonly blob: Buffer;
}

function text(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function decodeKey(encoded: string): PublicKey | undefined {
  const blob = Buffer.from(encoded, "base64");
  if (!/^[A-Za-z0-9+/]+=*$/.test(encoded) || blob.length < 4) {
    return undefined;
  }
  const type = blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1");
  return /^[a-z0-9@.-]+$/.test(type) ? { type, blob } : undefined;
}

/** Reads the first key of a text in the authorized_keys format: `[options] type base64 [comment]`, other lines ignored. */
export function parseAuthorizedKey(lines: string): PublicKey {
  for (const line of lines.split("\n").map((each) => each.trim())) {
    if (line === "" || line.startsWith("#")) {
      continue;
    }
    // Options may hold quoted spaces, so they end at the first space outside quotes.
    const options = /^(?:"(?:\\"|[^"])*"|[^\s"])*/.exec(line)?.[0] ?? "";
    for (const fields of [line, line.slice(options.length)].map((rest) => rest.trim().split(/[ \t]+/))) {
      const key = decodeKey(fields[1] ?? "");
      if (key) {
        return key;
      }
    }
  }
  throw new Error("ssh: no key found");
}

/** PKCS #8, which ssh2 does not read, in a form that it does. */
function fromPkcs8(pem: string): string {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType === "rsa") {
    return key.export({ type: "pkcs1", format: "pem" }).toString();
  }
  if (key.asymmetricKeyType === "ec") {
    return key.export({ type: "sec1", format: "pem" }).toString();
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(`ssh: unsupported key type ${quote(key.asymmetricKeyType ?? "unknown")}`);
  }
  const { x = "", d = "" } = key.export({ format: "jwk" });
  const [open, secret] = [Buffer.from(x, "base64url"), Buffer.from(d, "base64url")];
  const type = "ssh-ed25519";
  // Two equal check numbers, the key pair, an empty comment, and padding 1, 2, 3... to a multiple of 8 bytes.
  const pair = Buffer.concat([Buffer.alloc(8), text(type), text(open), text(Buffer.concat([secret, open])), text("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (pair.length % 8)) % 8 }, (_, i) => i + 1));
  const body = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    text("none"),
    text("none"),
    text(""),
    Buffer.from([0, 0, 0, 1]),
    text(Buffer.concat([text(type), text(open)])),
    text(Buffer.concat([pair, padding])),
  ]);
  const lines = body.toString("base64").replace(/.{70}/g, "$&\n").trimEnd();
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----`;
}

function isEncrypted(type: string, body: string): boolean {
  if (type !== "OPENSSH PRIVATE KEY") {
    return body.includes("Proc-Type: 4,ENCRYPTED");
  }
  const magic = "openssh-key-v1\0";
  const unencrypted = Buffer.concat([Buffer.from(magic), text("none")]);
  return !Buffer.from(body, "base64").subarray(0, unencrypted.length).equals(unencrypted);
}

/**
 * Reads a private key: PKCS #1, SEC 1, DSA and OpenSSH, plain or encrypted, and plain PKCS #8. Throws in the official
 * provider's words.
 */
export function parsePrivateKey(key: string, passphrase: string | undefined): ParsedKey {
  const unix = key.replaceAll("\r\n", "\n");
  const [, type = "", body = ""] = /-----BEGIN ([A-Z0-9 ]+)-----\n([\s\S]*?)\n-----END \1-----/.exec(unix) ?? [];
  if (type === "") {
    throw new Error("ssh: no key found");
  }
  const encrypted = isEncrypted(type, body);
  if (encrypted && passphrase === undefined) {
    throw new Error("ssh: this private key is passphrase protected");
  }
  if (!encrypted && passphrase !== undefined) {
    throw new Error(
      type === "OPENSSH PRIVATE KEY" ? "ssh: key is not password protected" : "ssh: not an encrypted key",
    );
  }
  if (type === "OPENSSH PRIVATE KEY" && passphrase === "") {
    throw new Error("bcrypt_pbkdf: empty password");
  }
  if (!/^((RSA|EC|DSA|OPENSSH) )?PRIVATE KEY$/.test(type)) {
    throw new Error(`ssh: unsupported key type ${quote(type)}`);
  }
  const pem = `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----`;
  const parsed: unknown = utils.parseKey(type === "PRIVATE KEY" ? fromPkcs8(`${pem}\n`) : pem, passphrase);
  if (parsed instanceof Error) {
    throw new Error(encrypted ? "x509: decryption password incorrect" : `ssh: ${parsed.message}`, { cause: parsed });
  }
  // An OpenSSH file may hold several keys, of which the first counts.
  return (Array.isArray(parsed) ? parsed[0] : parsed) as ParsedKey;
}
