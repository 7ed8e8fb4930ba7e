// @ts-nocheck: run.sh installs what is imported here
/** What the checks of Node clients share. Usage of each: node NAME.mjs BASE_URL IMAGE */
import { readFileSync } from 'node:fs';

const [baseURL, image] = process.argv.slice(2);

export { baseURL };
export const bytes = readFileSync(image);
export const dataUrl = `data:image/png;base64,${bytes.toString('base64')}`;
export const question = 'What is the total?';

/** Prints one line; the function returns what was received, as evidence, or throws. */
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
