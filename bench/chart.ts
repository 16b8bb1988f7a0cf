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
