import { LAB_LABEL, makeLabNetwork, makeLabNode } from "../../components/lab/engine";
import {
  bridgeOf,
  chooseSubnet,
  HOST_ROUTES,
  type LabIdentity,
  nodeAddress,
  parseHostRoutes,
} from "../../components/lab/identity";
import { must, ROOMY_KUBELET, run } from "./lab";

/** A machine that podnet did not make and that stays when the stack goes: what is put on it has to come off again. */
export interface TestMachine {
  readonly address: string;
  readonly hostKey: string;
  /** Runs a Bash script on it as its root, beside SSH. */
  readonly sh: (script: string) => string;
  readonly stop: () => void;
  readonly start: () => void;
}

/** Takes away every machine of these tests, and their network. */
export function removeMachines(identity: LabIdentity): void {
  const ids = must("docker", ["ps", "-aq", "--filter", `label=${LAB_LABEL}=${identity.name}`]).split("\n");
  ids.filter((id) => id !== "").forEach((id) => must("docker", ["rm", "-f", "-v", id]));
  run("docker", ["network", "rm", bridgeOf(identity.name)]);
}

/** Makes machines of the lab's node image, with nothing on them that a lab puts there. */
export async function makeMachines(
  identity: LabIdentity,
  names: readonly string[],
  settings: Readonly<Record<string, string>>,
  publicKey: string,
): Promise<Record<string, TestMachine>> {
  const subnet = chooseSubnet(identity, parseHostRoutes(must("ip", HOST_ROUTES)));
  const at = { labName: identity.name, network: bridgeOf(identity.name) };
  await makeLabNetwork({ ...at, subnet });
  const made = names.map(async (name, index): Promise<[string, TestMachine]> => {
    const container = `${identity.name}-${name}`;
    const sh = (script: string): string =>
      must("docker", ["exec", "-i", container, "bash", "--norc", "-euo", "pipefail", "-s"], script);
    const address = nodeAddress(subnet, index);
    const hostKey = await makeLabNode({
      ...at,
      nodeName: name,
      address,
      image: settings["nodeImage"] ?? "",
      publicKey,
      mirrorDir: settings["mirrorDir"],
    });
    // A machine of somebody's has no images of ours: the lab's nodes start with them.
    sh(`printf %s '${ROOMY_KUBELET}' >/etc/default/kubelet
find /var/lib/containerd -mindepth 1 -delete; rm -rf /usr/local/share/podnet`);
    const docker = (verb: string) => (): void => void must("docker", [verb, "-t", "2", container]);
    return [
      name,
      { address, hostKey, sh, stop: docker("stop"), start: () => void must("docker", ["start", container]) },
    ];
  });
  return Object.fromEntries(await Promise.all(made));
}

/**
 * All that there is on a machine, one line each: files by mode, owner and hash, packages, units and their enablement, users,
 * rules, routes, links, kernel settings of its own network, mounts, swap, control groups of pods and processes. What a machine
 * changes by itself while it runs is left out.
 */
export function machineState({ sh }: TestMachine): string[] {
  return sh(`
# On a node that is at work files and links come and go while they are looked at; those are left out, and anything else fails.
hashes() { xargs -0 sha256sum 2>/tmp/gone || ! grep -v ': No such file or directory$' /tmp/gone >&2; }
{
skip='/proc /sys /dev /tmp /run /var/log/journal /var/lib/systemd /var/cache'
pruned=(); for path in $skip; do pruned+=(-path "$path" -prune -o); done
find / -ignore_readdir_race -xdev "\${pruned[@]}" -printf 'path %y %m %U:%G %p %l\\n'
find / -ignore_readdir_race -xdev "\${pruned[@]}" -type f -print0 | hashes | sed 's/^/file /'
for folder in /var/lib/containerd /var/lib/kubelet /var/lib/etcd; do find $folder -mindepth 1 -printf 'data %p\\n' 2>/dev/null || true; done
find /run -ignore_readdir_race -xdev -mindepth 1 -maxdepth 2 -not -path '/run/systemd/*' -not -path '/run/log/*' -not -path '/run/user/*' -not -path '/run/udev/*' -not -path '/run/credentials/*' -printf 'run %y %m %p\\n'
dpkg-query -W -f 'package \${Package} \${Version} \${Status}\\n'
systemctl list-unit-files --no-legend --no-pager | sed 's/  */ /g; s/^/unit /'
systemctl list-units --failed --no-legend --no-pager --plain | sed 's/^/failed /'
systemctl list-units --all --type service,socket,timer --no-legend --no-pager --plain | awk '$1 !~ /^(user|session|systemd-tmpfiles|systemd-hostnamed|e2scrub|dpkg-db|apt-)/ && $2 == "loaded" { print "active", $1, $3 }'
getent passwd | sed 's/^/user /'; getent group | sed 's/^/group /'
nft list ruleset 2>/dev/null | sed 's/packets [0-9]* bytes [0-9]*//; s/^/nft /'
iptables-legacy-save 2>/dev/null | sed 's/^/legacy /' | grep -v '#' || true
ip -4 rule show | sed 's/^/rule /'; ip -4 route show table all | sed 's/^/route /'; ip -6 route show table all | grep -v fe80 | sed 's/ expires [0-9]*sec//; s/^/route6 /' || true
ip -o link show | awk '{ print "link", $2, $4, $5 }' | sed 's/@[^ ]*//'; ip -o -4 address show | awk '{ print "address", $2, $4 }'
ipset list -n 2>/dev/null | sed 's/^/set /' || true
sysctl --ignore -a 2>/dev/null | grep '^net[.]' | grep -vE 'conntrack_(count|max|buckets)|[.]neigh[.]|stable_secret|random|nf_log|flush|ipfrag|xfrm|mem =|ip6frag|bpf_jit' | sed 's/^/sysctl /'
awk '{ print "mount", $2, $3 }' /proc/mounts | grep -vE '/run/credentials|/run/user' ; awk 'NR > 1 { print "swap", $1, $2, $5 }' /proc/swaps
ps -eo comm= | grep -vE '^(ps|bash|sh|awk|sort|sed|sshd|find|grep|systemd.*|[(]sd-pam[)]|sha256sum|dbus-daemon|xargs|agetty|cat)$' | sed 's/^/process /' || true
find /sys/fs/cgroup -maxdepth 3 -type d -name '*kube*' 2>/dev/null | sed 's/^/cgroup /' || true
find /sys/fs/bpf -mindepth 1 2>/dev/null | sed 's/^/bpf /' || true
} | sort -u`)
    .split("\n")
    .filter(
      (line) =>
        !/ \/run\/motd[.]dynamic$| \/var\/log\/(wtmp|lastlog|btmp|faillog)| \/root\/\.bash_history|\/var\/lib\/private/.test(
          line,
        ),
    );
}

/** The state of a machine at work, once two looks in a row find the same: pods of a check that has just ended take a moment to go. */
export function stateAtWork(machine: TestMachine): string[] {
  const look = (): string[] => machineState(machine).filter((line) => !/^data | \/var\/log\//.test(line));
  const deadline = Date.now() + 120_000;
  for (let before = look(); ;) {
    const now = look();
    const { gone, came } = differences(before, now);
    if (gone.length + came.length === 0) {
      return now;
    }
    if (Date.now() > deadline) {
      throw new Error(`the machine does not come to rest:\n${[...gone, ...came].join("\n")}`);
    }
    before = now;
  }
}

/** What differs between two states of a machine: lines that went, and lines that came. */
export function differences(before: readonly string[], after: readonly string[]): { gone: string[]; came: string[] } {
  const [was, is] = [new Set(before), new Set(after)];
  return { gone: before.filter((line) => !is.has(line)), came: after.filter((line) => !was.has(line)) };
}
