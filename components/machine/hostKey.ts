import { utils } from "ssh2";

const KINDS = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

const MEANT = "must be a public key as in /etc/ssh/ssh_host_ed25519_key.pub on the machine";

/**
 * The one public host key that is pinned, out of a .pub file, a line of known_hosts, or several of either, as ssh-keyscan prints
 * them: the first of a kind that every SSH library takes. Throws with what is wrong and what to do.
 */
export function readableHostKey(text: string): string {
  if (text.includes("PRIVATE KEY-----")) {
    throw new Error("is a private key; give the public one, the file with .pub");
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const found = lines.flatMap((line) => {
    const [, type = "", key = ""] =
      /^(?:[^#\s]\S*[ \t]+)?((?:ssh|ecdsa)-[a-z0-9@.-]+)[ \t]+(AAAA[A-Za-z0-9+/]+=*)([ \t].*)?$/.exec(line) ?? [];
    return type === "" ? [] : [{ type, line: `${type} ${key}` }];
  });
  if (found.length === 0) {
    throw new Error(MEANT);
  }
  const usable = found.find(({ type }) => KINDS.includes(type));
  if (usable === undefined) {
    throw new Error(
      `is a key of the kind ${found.map(({ type }) => type).join(", ")}, with which the command plugin asks for signatures that sshd ` +
        "refuses; pin another of the machine's keys: /etc/ssh/ssh_host_ed25519_key.pub",
    );
  }
  const parsed: unknown = utils.parseKey(usable.line);
  if (parsed instanceof Error) {
    throw new Error(`cannot be read (${parsed.message}); is it whole? ${MEANT}`, { cause: parsed });
  }
  const rest = text.slice(usable.line.length);
  // What is one line already stays as it is, so that a stack that has it does not change.
  return lines.length === 1 && text.startsWith(usable.line) && /^(?:[ \t\r]|$)/.test(rest) ? text : usable.line;
}
