/** The value that a record has under a name, or undefined; what every object inherits, such as `constructor`, is not one. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}
