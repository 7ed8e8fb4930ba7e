/** A random name. `crypto.randomUUID` is missing on plain http from another machine, such as a phone. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
