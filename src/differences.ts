/** "temperature was 0 and is 0.5", for every leaf in which two JSON values differ. */
export function differencesOf(earlier: unknown, now: unknown, name = ''): string[] {
  if (isObject(earlier) && isObject(now)) {
    const keys = [...new Set([...Object.keys(earlier), ...Object.keys(now)])];
    return keys.flatMap((key) => differencesOf(earlier[key], now[key], name === '' ? key : `${name}.${key}`));
  }
  if (JSON.stringify(earlier) === JSON.stringify(now)) return [];
  return [`${name} was ${shown(earlier)} and is ${shown(now)}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value);
}
