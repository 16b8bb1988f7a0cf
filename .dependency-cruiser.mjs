/** Rooms in the order that data flows: a room imports only from itself and from rooms above it. See CONTRIBUTING.md. */
const ROOMS = [
  "components/args",
  "components/kubernetes",
  "components/machine",
  "components/lab",
  "components/node",
  "components/cluster",
  "components/network",
  "components/service",
  "components/connectivity",
  "components/index.ts",
  "src",
  "cli",
  "toolchain/host",
  "toolchain/supply",
  "toolchain/make",
];

/** What stands beside the rooms: it may use them, and no room uses it. */
const BESIDE = ["packages", "examples", "test", "bench"];

/** Pattern of everything in these rooms. */
const inside = (rooms) => `^(${rooms.map((room) => room.replaceAll(".", "\\.")).join("|")})(/|$)`;

const order = ROOMS.map((room, index) => ({
  name: `order-of-rooms: ${room}`,
  comment: `${room} imports only from rooms above it in the list of .dependency-cruiser.mjs.`,
  severity: "error",
  from: { path: inside([room]) },
  to: { path: inside([...ROOMS.slice(index + 1), ...BESIDE]) },
}));

const NETWORK = "components/network";

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...order,
    {
      name: "in-a-room",
      comment: "Every file stands in a room of the list, and src holds the program and its config alone.",
      severity: "error",
      from: {},
      to: {
        path: "^(components|src|cli|toolchain)/",
        pathNot: [inside(ROOMS.filter((room) => room !== "src")), "^src/(main|config)\\.ts$"],
      },
    },
    {
      name: "in-a-room-itself",
      comment: "As in-a-room, for a file that nothing imports.",
      severity: "error",
      from: {
        path: "^(components|src|cli|toolchain)/",
        pathNot: [inside(ROOMS.filter((room) => room !== "src")), "^src/(main|config)\\.ts$"],
      },
      to: {},
    },
    {
      name: "network-apart",
      comment: "A network imports nothing of another network: what two of them need stands in components/network.",
      severity: "error",
      from: { path: `^${NETWORK}/([^/]+)/` },
      to: { path: `^${NETWORK}/[^/]+/`, pathNot: `^${NETWORK}/$1/` },
    },
    {
      name: "network-by-kinds-only",
      comment:
        "In the library, only kinds.ts names a file of one network, so that a network is removed with its folder.",
      severity: "error",
      from: { path: "^(components|src|cli|examples)/", pathNot: [`^${NETWORK}/[^/]+/`, `^${NETWORK}/kinds\\.ts$`] },
      to: { path: `^${NETWORK}/[^/]+/` },
    },
    {
      name: "package-apart",
      comment: "packages/pulumi-command is a package of its own: it imports nothing of podnet.",
      severity: "error",
      from: { path: "^packages/([^/]+)/" },
      to: { pathNot: ["^packages/$1/", "node_modules/"], dependencyTypes: ["local"] },
    },
    {
      name: "example-as-a-user",
      comment: "An example imports what a user can: components/index.ts.",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: inside([...ROOMS, ...BESIDE]), pathNot: "^components/index\\.ts$" },
    },
    {
      name: "no-circle",
      comment: "No file imports itself by way of others, types included.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "dependency-declared",
      comment: "What is published imports only packages of package.json's dependencies.",
      severity: "error",
      from: { path: "^(components|src|cli)/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], pathNot: "^node_modules/@types/" },
    },
  ],
  options: {
    // Imports of types count: they too say what a room has to know.
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist/|^toolchain/supply/go/" },
  },
};
