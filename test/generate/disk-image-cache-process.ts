/** A process that uses an image cache together with others: `node disk-image-cache-process.ts DIRECTORY SEED`. */
import { createHash } from 'node:crypto';
import { DiskImageCache } from '../../src/generate/disk-image-cache.ts';
import { randomFrom } from '../../src/generate/sampler.ts';

const [directory = '', seed = '1'] = process.argv.slice(2);
const cache = DiskImageCache.open({ directory, limitBytes: 10 * 1048 });
if (typeof cache === 'string') throw new Error(cache);
const random = randomFrom(Number(seed));
let [right, wrong] = [0, 0];
for (let round = 0; round < 300; round++) {
  const image = Math.floor(random() * 20);
  const key = createHash('sha256').update(`image ${image}`).digest('hex');
  const numbers = Uint16Array.from({ length: 500 }, (_, i) => (i * 31 + image) & 0x7bff);
  if (random() < 0.5) await cache.write(key, numbers);
  else {
    const read = await cache.read(key, 500);
    if (read === null) continue;
    if (Buffer.compare(Buffer.from(read.buffer), Buffer.from(numbers.buffer)) === 0) right++;
    else wrong++;
  }
}
process.stdout.write(`right ${right} wrong ${wrong}`);
