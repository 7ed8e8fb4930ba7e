// @ts-nocheck: run.sh installs the imported packages
/** Shared code of the checks of Node clients. Usage of a check: node NAME.mjs BASE_URL IMAGE */
import { readFileSync } from 'node:fs';

const [baseURL, image] = process.argv.slice(2);

export { baseURL };
export const bytes = readFileSync(image);
export const dataUrl = `data:image/png;base64,${bytes.toString('base64')}`;
export const question = 'What is the total?';

/** Runs a function and prints one line. The function returns the received data, or throws. */
export async function check(name, run) {
  try {
    console.log(`ok      ${name}: ${JSON.stringify(await run()).slice(0, 100)}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED  ${name}: ${String(error).slice(0, 300)}`);
  }
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}
