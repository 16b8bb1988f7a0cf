// Plans the ready program with mocks in the engine's place and prints every resource: its URN and its inputs, as JSON. Runs
// compiled, from the working directory's own checkout. Argument: the stack's config as JSON.
import { Buffer } from "node:buffer";
import console from "node:console";
import { createRequire } from "node:module";
import process from "node:process";
import { setTimeout } from "node:timers/promises";

const load = createRequire(`${process.cwd()}/`);
const pulumi = load("@pulumi/pulumi");
const settings = load("@pulumi/pulumi/runtime/settings");
const stdoutOf = answers();
const made = [];

await pulumi.runtime.setMocks(
  {
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs });
      return { id: `${name}-id`, state: { ...inputs, stdout: stdoutOf(type, name, inputs) } };
    },
    call: () => ({}),
  },
  "podnet",
  "dev",
);
pulumi.runtime.setAllConfig(JSON.parse(process.argv[2]), []);
load("./dist/src/main.js");
for (let before = -1, quiet = 0; quiet < 6;) {
  await setTimeout(50);
  quiet = before === made.length ? quiet + 1 : 0;
  before = made.length;
}
const urns = [...settings.getMonitor().resources.keys()].sort();
console.log(JSON.stringify({ urns, made: made.sort((a, b) => (a.name < b.name ? -1 : 1)) }));
process.exit(0);

/** What each command answers, in the program's frame where it is a phase. */
function answers() {
  const frame = (stdin, line) => {
    const nonce = /^nonce: ([0-9a-f]+)\n/.exec(typeof stdin === "object" ? stdin.value : stdin)[1];
    return `podnet ${nonce} | ${line}\npodnet ${nonce} 0\n`;
  };
  const kubeconfig = Buffer.from("clusters:\n- cluster:\n    server: https://10.0.0.1:6443\n").toString("base64");
  const lines = {
    init: JSON.stringify({ kubeconfig, caCertHash: `sha256:${"a".repeat(64)}`, token: "abcdef.0123456789abcdef" }),
    change: '{"network":"any","generation":"1"}',
    network: '{"mtu":1500,"link":"eth0"}',
  };
  return (type, name, inputs) => {
    if (type === "command:remote:Command") {
      return frame(inputs.stdin, lines[/\/start ([a-z]+)$/.exec(inputs.create)[1]] ?? "{}");
    }
    if (name.endsWith("-owner")) {
      return "11111111-2222-3333-4444-555555555555";
    }
    return name.endsWith("-endpoints") ? '{"endpoints":[]}' : '{"passed":true,"claims":{}}';
  };
}
