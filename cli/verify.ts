import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { kubeconfigText } from "../components/kubernetes/access";
import { messageOf } from "../components/args/validate";
import type { ClusterRequest } from "../components/connectivity/foreign";
import { type Asked, optionsOf, usageOf } from "../components/connectivity/options";
import { colours, couldNotRun, printed, type Ran, runOnce } from "../components/connectivity/run";

/** Options of `verify` beside those of `check`, each with the word that stands for its value in the usage. */
const OWN = {
  stack: "NAME",
  output: "NAME",
  input: "FILE",
  kubeconfig: "FILE",
  context: "NAME",
  image: "IMAGE",
  "dns-domain": "DOMAIN",
  watch: "SECONDS",
} as const;

/** What a terminal is told (https://vt100.net/docs/vt510-rm/chapter4.html): to go to the top left, to clear a line's or the screen's rest. */
const [HOME, TO_LINE_END, TO_SCREEN_END] = ["\u001b[H", "\u001b[K", "\u001b[J"];

/** What an exit code says of the network. */
const STATES: Readonly<Record<Ran["code"], string>> = { 0: "proven", 1: "broken", 2: "could not run" };

/** Seconds between two runs that a watcher waits at least: each run asks every node hundreds of times. */
const LEAST_PAUSE = 1;

/**
 * The command `verify`: proves the network of a stack again, from wherever the stack's outputs are: the stack that is selected in this
 * folder, the one that `--stack` names, or a file that has its output `verify` (`-` is standard input). With `--kubeconfig` it proves that
 * of any cluster, by pods alone, which it makes and takes away. Returns the exit code of the last run, 0: proven; 1: broken; 2: could
 * not run. `--watch` runs it again and again, with that many seconds between two runs.
 */
export async function verifyCommand(words: readonly string[]): Promise<number> {
  let asked: Asked;
  let given: string;
  let pause: number | undefined;
  try {
    asked = optionsOf("verify", words, OWN);
    pause = pauseIn(asked);
    given = await inputOf(asked);
  } catch (error) {
    return couldNotRun(error).code;
  }
  return pause === undefined ? printed(await runOnce(given, asked), asked) : watch(given, asked, pause);
}

function pauseIn({ own: { watch: text } }: Asked): number | undefined {
  if (text === undefined) {
    return undefined;
  }
  if (!/^[0-9]+$/.test(text) || Number(text) < LEAST_PAUSE) {
    throw new Error(
      `--watch must be a whole number of seconds, ${String(LEAST_PAUSE)} or more, got "${text}"; ${usageOf("verify", OWN)}`,
    );
  }
  return Number(text);
}

/** Ways to name what is proven; one of them at a time. */
const SOURCES = ["stack", "input", "kubeconfig"] as const;

/** Options that only go with `--kubeconfig`. */
const OF_KUBECONFIG = ["context", "image", "dns-domain"] as const;

/** The check's input, JSON text. */
async function inputOf({ own }: Asked): Promise<string> {
  const { stack, input, kubeconfig, context, image, output = "verify" } = own;
  const named = SOURCES.filter((name) => own[name] !== undefined);
  if (named.length > 1) {
    throw new Error(`--${named.join(" and --")} exclude each other; ${usageOf("verify", OWN)}`);
  }
  const stray = OF_KUBECONFIG.filter((name) => own[name] !== undefined);
  if (kubeconfig === undefined && stray.length > 0) {
    throw new Error(`--${stray.join(" and --")} go with --kubeconfig alone; ${usageOf("verify", OWN)}`);
  }
  if (kubeconfig !== undefined) {
    return JSON.stringify({
      kubeconfig: await kubeconfigText(kubeconfig, context),
      makesProbes: true,
      image,
      dnsDomain: own["dns-domain"],
    } satisfies ClusterRequest);
  }
  if (input !== undefined) {
    return readFileSync(input === "-" ? 0 : input, "utf8");
  }
  const words = ["stack", "output", output, "--show-secrets", "--non-interactive"];
  try {
    return execFileSync("pulumi", [...words, ...(stack === undefined ? [] : ["--stack", stack])], {
      encoding: "utf8",
      maxBuffer: Infinity,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim();
    throw new Error(
      `the stack's output "${output}" cannot be read by pulumi: ${said === undefined || said === "" ? messageOf(error) : said}; run it where the stack is selected, name it by --stack, or give the output's text by --input`,
      { cause: error },
    );
  }
}

/** Runs it again and again until the process is told to end. On a terminal each table takes the place of the last. */
async function watch(given: string, asked: Asked, pause: number): Promise<number> {
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => ending.abort());
  }
  const live = process.stderr.isTTY;
  const write = (text: string): void => void process.stderr.write(text);
  let code: Ran["code"] = 2;
  let since = "";
  for (let run = 1; !ending.signal.aborted; run += 1) {
    const told: string[] = [];
    const ran = await runOnce(given, asked, {
      // On a terminal it is told in place, below the last run's table.
      progress: (line) => write(live ? `\r${colours().dim(line)}${TO_LINE_END}` : `${line}\n`),
      result: (text) => told.push(text),
    });
    const now = new Date().toISOString().slice(11, 19);
    since = run === 1 || ran.code !== code ? now : since;
    code = ran.code;
    const last = `run ${String(run)} at ${now} UTC: ${STATES[code]} since ${since}; the next one in ${String(pause)} s`;
    const text = `${told.join("")}${last}\n`;
    // Each line is written over the last run's, so that nothing flickers.
    write(live ? `${HOME}${text.replaceAll("\n", `${TO_LINE_END}\n`)}${TO_SCREEN_END}` : text);
    await sleep(1000 * pause, undefined, { signal: ending.signal }).catch(() => undefined);
  }
  return code;
}
