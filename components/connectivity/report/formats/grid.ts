import { nodeOf } from "../../request";
import { xml } from "./xml";

/** A cell of a table of nodes by nodes. */
export interface Cell {
  readonly state: "good" | "bad" | "open" | "none";
  readonly text: string;
  readonly content?: string;
  /** Strength of its colour, 0 to 1, where it is a measure. */
  readonly heat?: number;
}

/** Nodes that a table has a row each for; of more it has one for as many neighbours as it takes. */
const DRAWN = 100;

/** The rows and columns of a table of nodes: each a node, or of many nodes some that stand beside each other. */
export class Rows {
  readonly names: readonly string[];
  readonly #places: ReadonlyMap<string, number>;

  constructor(nodes: readonly string[]) {
    const size = Math.max(1, Math.ceil(nodes.length / DRAWN));
    const rows = Array.from({ length: Math.ceil(nodes.length / size) }, (_, index) =>
      nodes.slice(index * size, (index + 1) * size),
    );
    this.names = rows.map((row) => (row.length > 1 ? `${row[0] ?? ""} … ${row.at(-1) ?? ""}` : (row[0] ?? "")));
    this.#places = new Map(rows.flatMap((row, index) => row.map((node) => [node, index])));
  }

  /** Things by the cell that they are in, by their source and target; without those that are in none. */
  inCells<T extends { readonly source: string; readonly target: string }, C>(
    things: Iterable<T>,
    start: () => C,
    add: (cell: C, thing: T) => void,
  ): (row: number, column: number) => C | undefined {
    const cells = new Map<number, C>();
    const { length } = this.names;
    for (const thing of things) {
      const [row, column] = [this.placeOf(thing.source), this.placeOf(thing.target)];
      if (row !== undefined && column !== undefined) {
        const key = row * length + column;
        const cell = cells.get(key) ?? start();
        cells.set(key, cell);
        add(cell, thing);
      }
    }
    return (row, column) => cells.get(row * length + column);
  }

  /** Row or column of a node, or of a probe on it. */
  placeOf(name: string): number | undefined {
    return this.#places.get(name) ?? this.#places.get(nodeOf(name));
  }
}

/** A table of nodes by nodes that keys walk through; the cell that is looked at is told below it. */
export function grid(id: string, caption: string, rows: Rows, cellOf: (row: number, column: number) => Cell): string[] {
  const { names } = rows;
  const cell = (row: number, column: number): string => {
    const { state, text, content = "", heat } = cellOf(row, column);
    const colour = heat === undefined ? "" : ` style="--heat:${heat.toFixed(2)}"`;
    return `<td role="gridcell" class="${heat === undefined ? state : "heat"}"${colour} tabindex="${row + column === 0 ? "0" : "-1"}" aria-label="${xml(text)}">${xml(content)}</td>`;
  };
  return [
    `<div class="scroll"><table role="grid" class="grid${sizeOf(names.length)}" aria-labelledby="${id}"><caption id="${id}">${xml(caption)}</caption>`,
    `<thead><tr><td></td>${names.map((name) => `<th scope="col"><span>${xml(name)}</span></th>`).join("")}</tr></thead><tbody>`,
    ...names.map(
      (name, row) =>
        `<tr><th scope="row">${xml(name)}</th>${names.map((_, column) => cell(row, column)).join("")}</tr>`,
    ),
    `</tbody></table></div><output class="told" aria-live="polite">Hover a cell, or walk by the arrow keys.</output>`,
  ];
}

/** Nodes from which on a table of them has small cells, and still smaller ones without a text. */
export const SMALL = 12;
const TINY = 40;

function sizeOf(nodes: number): string {
  return nodes > TINY ? " small tiny" : nodes > SMALL ? " small" : "";
}
