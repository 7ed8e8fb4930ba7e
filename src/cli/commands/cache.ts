/** `cogvlm2 cache`: shows or clears the image cache on disk. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatBytes, formatCount, renderTable } from '../format.ts';
import { debugOption, jsonOption } from '../options.ts';

export const cache = defineCommand({
  name: 'cache',
  summary: 'Show the size of the image cache on disk, or clear it',
  arguments: [],
  options: z.object({
    clear: flagGroup('Cache')(z.boolean().default(false), 'Remove all entries.'),
    ...jsonOption,
    ...debugOption,
  }),
  examples: [
    { about: 'The size of the cache', line: 'cogvlm2 cache' },
    { about: 'Clear the cache', line: 'cogvlm2 cache --clear' },
  ],
  notes: `Encoding an image is most of the work of a question about it (minutes on a CPU with the 19 B model), so its tokens are kept
on disk. A later question about the same image, also from another process, does not run the vision tower again. The limit is 2 GB
(\`--image-cache-gb\`; 19 MB for each image with the 19 B model); the least recently used entries are evicted.
\`--no-image-cache\` turns it off.

An entry contains only the numbers that the decoder reads instead of the image: no image, file name or question. Its name is
a hash of the pixels and the model. A trained program can reconstruct image content from these numbers, so only the owner can read
the directory. The cache is not used if encoding takes no longer than reading a file (the demonstration model), and not with
\`--compute f32\`. \`--json\` prints \`{ directory, entries, sizeBytes }\`, with \`--clear\` what was removed.`,

  async run(_args, options, { terminal, library }) {
    const found = await library.openImageCache(terminal.env);
    if (typeof found === 'string') throw new CogVLM2Error('write_failed', found);
    const { directory } = found;
    const { entries, sizeBytes } = options.clear ? await found.clear() : await found.usage();
    if (options.json) {
      terminal.stdout.write(`${JSON.stringify({ directory, entries, sizeBytes })}\n`);
    } else if (options.clear) {
      terminal.stdout.write(
        `Removed ${formatCount(entries)} ${entries === 1 ? 'image' : 'images'}, ${formatBytes(sizeBytes)}.\n`,
      );
    } else {
      terminal.stdout.write(
        renderTable([
          ['directory', directory],
          ['images', formatCount(entries)],
          ['size', formatBytes(sizeBytes)],
        ]),
      );
    }
    return 0;
  },
});
