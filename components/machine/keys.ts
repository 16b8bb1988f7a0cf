import { createPrivateKey, type KeyObject } from "node:crypto";
import { utils } from "ssh2";
import { messageOf, type Problem } from "../args/validate";

/** Thrown for a key that cannot be used; `path` is the field of the connection that has to change. */
class KeyError extends Error {
  constructor(
    message: string,
    readonly path: "privateKey" | "privateKeyPassword" = "privateKey",
  ) {
    super(message);
  }
}

/** Keys that were read already: to open one that is protected takes long by design, and a thousand nodes may share it. */
const read = new Map<string, string>();
const MOST_READ = 16;

/**
 * A private key in a form that every SSH library reads that podnet uses: as it was given where that is one, else written anew,
 * without its passphrase. Throws with what is wrong and what to do.
 */
export function readablePrivateKey(text: string, passphrase?: string): string {
  const id = JSON.stringify([text, passphrase]);
  const known = read.get(id);
  if (known !== undefined) {
    return known;
  }
  const key = readKey(text, passphrase === "" ? undefined : passphrase);
  if (read.size >= MOST_READ) {
    read.clear();
  }
  read.set(id, key);
  return key;
}

/** What is wrong with a private key and its passphrase, each at its field of the connection. */
export function privateKeyProblems(text: string, passphrase?: string): Problem[] {
  try {
    readablePrivateKey(text, passphrase);
    return [];
  } catch (error) {
    return [{ path: error instanceof KeyError ? error.path : "privateKey", message: messageOf(error) }];
  }
}

function readKey(text: string, passphrase: string | undefined): string {
  const { block, type, body } = findBlock(text);
  const locked = isLocked(type, body);
  if (locked && passphrase === undefined) {
    throw new KeyError(
      "is required: the private key is protected by a passphrase; give it, or take it off a copy: ssh-keygen -p -f COPY",
      "privateKeyPassword",
    );
  }
  if (type === "PRIVATE KEY" || type === "ENCRYPTED PRIVATE KEY") {
    return written(openPkcs8(block, locked ? passphrase : undefined));
  }
  const parsed: unknown = utils.parseKey(block, locked ? passphrase : undefined);
  if (parsed instanceof Error) {
    throw locked && /bad passphrase|integrity check|failed to decrypt|bad decrypt/i.test(parsed.message)
      ? wrongPassphrase()
      : new KeyError(
          `cannot be read (${parsed.message}); is it whole? "ssh-keygen -y -f FILE" must print its public key`,
        );
  }
  // A file in OpenSSH form may hold several keys, of which the first counts.
  const key = (Array.isArray(parsed) ? (parsed as unknown[])[0] : parsed) as { getPrivatePEM(): string };
  if (locked) {
    return written(createPrivateKey(key.getPrivatePEM()));
  }
  // Nothing else may stand behind it for Go's reader, which the official plugin has.
  return text.startsWith(block) && /^(?:[ \t]|\r?\n)*$/.test(text.slice(block.length)) ? text : `${block}\n`;
}

/** The one block of a text that is a private key, with plain line ends and without what stands around it. */
function findBlock(text: string): { readonly block: string; readonly type: string; readonly body: string } {
  const lines = (text.includes("\n") ? text : text.replace(/\\r\\n|\\n/g, "\n")).replace(/\r\n?/g, "\n");
  const found = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----([\s\S]*?)-----END \1-----/.exec(lines);
  if (found === null) {
    throw new KeyError(whatElse(text));
  }
  const [, type = "", inner = ""] = found;
  // On one line with spaces where the line ends were, as some shells and forms leave it.
  const whole = inner.trim().includes("\n") ? inner : inner.trim().replaceAll(" ", "\n");
  const body = whole
    .split("\n")
    .map((line) => line.trim())
    .join("\n")
    .trim();
  // The headers of a protected key end with an empty line, which has to stay.
  return { block: `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----`, type, body };
}

/** Why a text that holds no private key is none. */
function whatElse(text: string): string {
  const start = text.trimStart();
  if (/^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ AAAA/.test(start) || /-----BEGIN (SSH2 |RSA )?PUBLIC KEY-----/.test(text)) {
    return "is a public key; give the private one, the file without .pub";
  }
  if (start.startsWith("PuTTY-User-Key-File")) {
    return "is in PuTTY's form; write it in OpenSSH's: puttygen KEY.ppk -O private-openssh -o KEY";
  }
  if (/^[~./][^\n]*$/.test(start.trimEnd())) {
    return "is a path; give what the file holds";
  }
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text)) {
    return "is cut off: its last line, -----END ... PRIVATE KEY-----, is missing";
  }
  return "must be a private key in OpenSSH or PEM form";
}

function isLocked(type: string, body: string): boolean {
  if (type !== "OPENSSH PRIVATE KEY") {
    return type.startsWith("ENCRYPTED") || body.includes("Proc-Type: 4,ENCRYPTED");
  }
  const unlocked = Buffer.concat([Buffer.from("openssh-key-v1\0"), text("none")]);
  return !Buffer.from(body, "base64").subarray(0, unlocked.length).equals(unlocked);
}

function openPkcs8(pem: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: pem, format: "pem", passphrase });
  } catch {
    throw passphrase === undefined
      ? new KeyError('cannot be read; is it whole? "openssl pkey -noout -in FILE" must read it')
      : wrongPassphrase();
  }
}

function wrongPassphrase(): KeyError {
  return new KeyError("does not open the private key", "privateKeyPassword");
}

/** Writes a key in the form of its kind that all SSH libraries read, without a passphrase. */
function written(key: KeyObject): string {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return key.export({ type: "pkcs1", format: "pem" }).toString();
    case "ec":
      return key.export({ type: "sec1", format: "pem" }).toString();
    case "ed25519":
      return openSsh(key);
    default:
      throw new KeyError(
        `is a key of the kind ${key.asymmetricKeyType ?? "unknown"}, which SSH does not know; use ed25519, ecdsa or rsa`,
      );
  }
}

/** Text as SSH writes it: its length in four bytes, then its bytes. */
function text(data: string | Buffer): Buffer {
  const bytes = Buffer.from(data);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** An ed25519 key in OpenSSH's own form, the only one of this kind that ssh2 reads. */
function openSsh(key: KeyObject): string {
  const { x = "", d = "" } = key.export({ format: "jwk" });
  const [open, secret] = [Buffer.from(x, "base64url"), Buffer.from(d, "base64url")];
  const type = text("ssh-ed25519");
  // Two equal check numbers, the pair of keys, an empty comment; then 1, 2, 3... up to a multiple of eight bytes.
  const pair = Buffer.concat([Buffer.alloc(8), type, text(open), text(Buffer.concat([secret, open])), text("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (pair.length % 8)) % 8 }, (_, index) => index + 1));
  const whole = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...["none", "none", ""].map(text),
    Buffer.from([0, 0, 0, 1]),
    text(Buffer.concat([type, text(open)])),
    text(Buffer.concat([pair, padding])),
  ]);
  const lines = whole.toString("base64").replace(/.{70}/g, "$&\n").trimEnd();
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}\n-----END OPENSSH PRIVATE KEY-----\n`;
}
