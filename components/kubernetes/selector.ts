/** Labels by key, all of which a selected pod has. */
export type Labels = Readonly<Record<string, string>>;

/** A selector as Kubernetes writes it: `key=value`, joined by commas, in the order given. */
export function selectorText(selector: Labels): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/** Whether a pod with these labels is selected. */
export function matches(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}
