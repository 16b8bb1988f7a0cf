import { createHash } from "node:crypto";

/**
 * Parameters of a phase of the node program, in the order in which a reader sees them. A list gives its name once for each value;
 * what is undefined is left away.
 */
export type Parameters = Readonly<Record<string, string | number | readonly string[] | undefined>>;

function lines(parameters: Parameters): string {
  const rows = Object.entries(parameters).flatMap(([name, value]) => {
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      throw new Error(`"${name}" is not the name of a parameter of the node program`);
    }
    const values = value === undefined ? [] : typeof value === "object" ? value : [String(value)];
    return values.map((text) => {
      // eslint-disable-next-line no-control-regex
      if (/[\u0000-\u001f\u007f]/.test(text)) {
        throw new Error(
          `the parameter ${name} holds a control character, which a line cannot: ${JSON.stringify(text)}`,
        );
      }
      return `${name}: ${text}\n`;
    });
  });
  return rows.join("");
}

/**
 * The nonce of a phase's parameters: it names the work on the node, and its answer carries it. Equal parameters have equal
 * nonces, so that a second plan changes nothing.
 */
export function nonceOf(phase: string, parameters: Parameters): string {
  return createHash("sha256")
    .update(`${phase}\n${lines(parameters)}`)
    .digest("hex")
    .slice(0, 16);
}

/** Parameters as the text that a phase reads from standard input: `name: value` lines, the nonce first, ended by `end`. */
export function parametersText(phase: string, parameters: Parameters): string {
  return `nonce: ${nonceOf(phase, parameters)}\n${lines(parameters)}end\n`;
}

/** The nonce in a phase's parameters as text. */
export function nonceIn(text: string): string {
  const nonce = /^nonce: ([0-9a-f]+)\n/.exec(text)?.[1];
  if (nonce === undefined) {
    throw new Error("parameters of the node program begin with their nonce");
  }
  return nonce;
}

/**
 * Lines that the node program answered, out of everything that a shell, a greeting or sudo printed around them. Throws, naming
 * the node, when the answer does not carry the nonce, or says that the phase failed; `again` is how to go on then.
 */
export function answerLines(
  nodeName: string,
  phase: string,
  nonce: string,
  stdout: string,
  again = "run the update again with --replace of this resource",
): string[] {
  const prefix = `podnet ${nonce} `;
  const own = stdout.split("\n").flatMap((line) => (line.startsWith(prefix) ? [line.slice(prefix.length)] : []));
  const code = own.find((line) => /^[0-9]+$/.test(line));
  if (code === undefined) {
    const seen =
      stdout.trim() === "" ? "it printed nothing" : `it printed ${JSON.stringify(stdout.trim().slice(0, 200))}`;
    throw new Error(
      `node "${nodeName}": the phase ${phase} gave no answer, so nothing shows that it ran (${seen}); ` +
        `look at the login shell of its SSH user, then ${again}`,
    );
  }
  if (code !== "0") {
    throw new Error(`node "${nodeName}": the phase ${phase} ended with code ${code}`);
  }
  return own.flatMap((line) => (line.startsWith("| ") ? [line.slice(2)] : []));
}
