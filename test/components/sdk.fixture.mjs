// Previews the ready program on an empty stack with mocks in the engine's place, where nothing that a command prints is known, and
// prints every resource as the SDK sends it: its type, name and inputs on the wire, as JSON. Runs compiled, in a folder with the
// SDK under test. Argument: the stack's config as JSON.
import console from "node:console";
import { createRequire } from "node:module";
import process from "node:process";
import { setTimeout } from "node:timers/promises";

const load = createRequire(`${process.cwd()}/`);
const pulumi = load("@pulumi/pulumi");
const settings = load("@pulumi/pulumi/runtime/settings");
const made = [];

const preview = true;
await pulumi.runtime.setMocks(
  { newResource: ({ name, inputs }) => ({ id: `${name}-id`, state: inputs }), call: () => ({}) },
  "podnet",
  "dev",
  preview,
);
const monitor = settings.getMonitor();
const register = monitor.registerResource.bind(monitor);
monitor.registerResource = (request, callback) => {
  made.push({ type: request.getType(), name: request.getName(), inputs: request.getObject().toJavaScript() });
  return register(request, callback);
};
pulumi.runtime.setAllConfig(JSON.parse(process.argv[2]), []);
load("./dist/src/main.js");
for (let before = -1, quiet = 0; quiet < 6;) {
  await setTimeout(50);
  quiet = before === made.length ? quiet + 1 : 0;
  before = made.length;
}
console.log(
  JSON.stringify({
    version: load("@pulumi/pulumi/package.json").version,
    made: made.sort((a, b) => (a.name < b.name ? -1 : 1)),
  }),
);
process.exit(0);
