import { type Cidr, contains, parseCidr, parseIpv4 } from "../args/ipv4";
import type { NodeStatus } from "../node/status";

/** A route as a node's status has it, `CIDR via NEXT-HOP`. */
interface Route {
  readonly cidr: string;
  readonly via: string;
  readonly range: Cidr;
}

/** A way that a packet takes: what it is for, and where it goes. */
interface Way {
  readonly address: string;
  readonly value: number;
  readonly rest: string;
}

/** Compares nodes' routes with what podnet made. On many nodes the same routes are told by each: every text is read once. */
export class Routes {
  readonly #routes = new Map<string, Route>();
  readonly #ways = new Map<string, Way>();

  /** What differs on a node: its routes, or else the ways that packets take although they are there. */
  differences({ wanted, now, taken }: NodeStatus["routes"]): string[] {
    const same = wanted.length === now.length && wanted.every((route, index) => route === now[index]);
    const changed = same ? [] : this.#changed(wanted, now);
    // A missing route takes another way too: that is told once.
    return changed.length > 0 ? changed : this.#odd(wanted, taken);
  }

  /** How routes differ: by the same CIDR one has changed, otherwise it is missing or too many. */
  #changed(wanted: readonly string[], now: readonly string[]): string[] {
    const nextHops = (routes: readonly string[]): Map<string, string> =>
      new Map(routes.map((route) => this.#route(route)).map(({ cidr, via }) => [cidr, via]));
    const [made, seen] = [nextHops(wanted), nextHops(now)];
    const gone = [...made].flatMap(([cidr, via]) => {
      const other = seen.get(cidr);
      return other === undefined
        ? [`the route to ${cidr} via ${via} is missing`]
        : other === via
          ? []
          : [`the route to ${cidr} goes via ${other}, podnet made it via ${via}`];
    });
    const added = [...seen].flatMap(([cidr, via]) =>
      made.has(cidr) ? [] : [`the route to ${cidr} via ${via} is one too many`],
    );
    return [...gone, ...added];
  }

  /** Ways that packets take to pods of other nodes and that are not by podnet's routes: another route or rule wins over them. */
  #odd(wanted: readonly string[], taken: readonly string[]): string[] {
    const routes = wanted.map((route) => this.#route(route)).sort((a, b) => a.range.base - b.range.base);
    const odd = taken.flatMap((text) => {
      const { address, value, rest } = this.#way(text);
      const route = routeTo(value, routes);
      if (route === undefined || rest === `via ${route.via}`) {
        return [];
      }
      const told = /^(via|by) /.test(rest)
        ? `what is for ${address} goes ${rest}`
        : `there is no way to ${address} (${rest})`;
      return [{ ...route, text: `${told}, podnet made the route to ${route.cidr} via ${route.via}` }];
    });
    // Of each route the first.
    return [...new Map(odd.reverse().map(({ cidr, text }) => [cidr, text])).values()].reverse();
  }

  #route(text: string): Route {
    let known = this.#routes.get(text);
    if (known === undefined) {
      const [cidr = "", via = ""] = text.split(" via ");
      known = { cidr, via, range: parseCidr(cidr) };
      this.#routes.set(text, known);
    }
    return known;
  }

  #way(text: string): Way {
    let known = this.#ways.get(text);
    if (known === undefined) {
      const [, address = "", rest = ""] = /^(\S+) (.*)$/.exec(text) ?? [];
      known = { address, value: parseIpv4(address), rest };
      this.#ways.set(text, known);
    }
    return known;
  }
}

/** The route that an address goes by, of routes in the order of their addresses that do not overlap. */
function routeTo(address: number, routes: readonly Route[]): Route | undefined {
  let [low, high] = [0, routes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((routes[middle]?.range.base ?? Infinity) <= address) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const route = routes[low - 1];
  return route && contains(route.range, address) ? route : undefined;
}
