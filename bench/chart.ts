/** A bar of a chart. */
export interface Bar {
  readonly name: string;
  readonly seconds: number;
}

/** Draws seconds as a horizontal bar chart in SVG, longest first as given. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const longest = Math.max(1, ...bars.map(({ seconds }) => seconds));
  const escape = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const rows = bars.map(({ name, seconds }, index) => {
    const y = 44 + index * 24;
    const width = Math.round((seconds / longest) * 380);
    return `  <text x="250" y="${String(y + 13)}" text-anchor="end">${escape(name)}</text>
  <rect x="260" y="${String(y)}" width="${String(width)}" height="17" rx="2" fill="#1565c0"/>
  <text x="${String(268 + width)}" y="${String(y + 13)}" fill="#475569">${seconds.toFixed(1)}</text>`;
  });
  const height = 60 + bars.length * 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 ${String(height)}" font-family="Helvetica, Arial, sans-serif" font-size="13">
  <rect width="720" height="${String(height)}" fill="#ffffff"/>
  <text x="20" y="26" font-size="16" font-weight="bold">${escape(title)}</text>
${rows.join("\n")}
</svg>
`;
}

/** A bar of a panel, with its spread; `second` is of the lighter of the two kinds. */
export interface SpreadBar {
  readonly name: string;
  readonly second: boolean;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One panel of small multiples: bars in groups of the same name, and a line for a limit that they are held against. */
export interface Panel {
  readonly title: string;
  readonly bars: readonly SpreadBar[];
  readonly limit?: number | undefined;
}

const WIDTH = 460;
const ROW = 15;

function value(number: number): string {
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

function panel({ title, bars, limit }: Panel, x: number, y: number): string {
  const most = Math.max(1e-9, limit ?? 0, ...bars.map(({ max }) => max));
  const left = 118;
  const room = WIDTH - left - 62;
  const at = (number: number): string => (x + left + (number / most) * room).toFixed(1);
  const lines = bars.map((bar, index) => {
    const top = y + 26 + index * ROW;
    const first = bars.findIndex(({ name }) => name === bar.name) === index;
    const width = ((bar.median / most) * room).toFixed(1);
    const middle = top + 6;
    const name = first
      ? `<text x="${String(x + left - 8)}" y="${String(top + 10)}" text-anchor="end">${bar.name}</text>`
      : "";
    const whisker =
      bar.max > bar.min
        ? `<path d="M${at(bar.min)} ${String(middle)}H${at(bar.max)}" stroke="#0f172a" stroke-width="1"/>`
        : "";
    return `${name}<rect x="${String(x + left)}" y="${String(top)}" width="${width}" height="12" rx="2" fill="${bar.second ? "#93c5fd" : "#1565c0"}"/>${whisker}<text x="${(Number(at(bar.max)) + 6).toFixed(1)}" y="${String(top + 10)}" fill="#475569">${value(bar.median)}</text>`;
  });
  const bottom = y + 26 + bars.length * ROW;
  const mark =
    limit === undefined
      ? ""
      : `<path d="M${at(limit)} ${String(y + 20)}V${String(bottom)}" stroke="#c62828" stroke-width="1.5" stroke-dasharray="4 3"/>`;
  return `  <g><text x="${String(x)}" y="${String(y + 12)}" font-weight="bold">${title}</text>${lines.join("")}${mark}</g>`;
}

/** Draws small multiples in two columns as SVG, with a legend of the two kinds of bars and the limit. */
export function panels(
  title: string,
  legend: { readonly first: string; readonly second: string; readonly limit: string },
  all: readonly Panel[],
): string {
  const height = Math.max(...all.map(({ bars }) => bars.length)) * ROW + 52;
  const rows = Math.ceil(all.length / 2);
  const total = 74 + rows * height;
  const drawn = all.map((one, index) =>
    panel(one, 20 + (index % 2) * (WIDTH + 20), 70 + Math.floor(index / 2) * height),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(2 * WIDTH + 60)} ${String(total)}" font-family="Helvetica, Arial, sans-serif" font-size="11">
  <rect width="${String(2 * WIDTH + 60)}" height="${String(total)}" fill="#ffffff"/>
  <text x="20" y="26" font-size="15" font-weight="bold">${title}</text>
  <rect x="20" y="38" width="12" height="12" rx="2" fill="#1565c0"/><text x="38" y="48">${legend.first}</text>
  <rect x="130" y="38" width="12" height="12" rx="2" fill="#93c5fd"/><text x="148" y="48">${legend.second}</text>
  <path d="M240 36V52" stroke="#c62828" stroke-width="1.5" stroke-dasharray="4 3"/><text x="250" y="48">${legend.limit}</text>
${drawn.join("\n")}
</svg>
`;
}
