/** `cogvlm2 pull NAME`: downloads a published checkpoint. */
import { z } from 'zod';
import { PUBLISHED_MODELS } from '../../hub/cache.ts';
import { backoffMs } from '../../hub/failure.ts';
import { defineCommand } from '../command.ts';
import { flagGroup } from '../flags.ts';
import { formatBytes, formatCount, formatDuration } from '../format.ts';
import { debugOption, outputOptions, parallelOption } from '../options.ts';
import { createProgress } from '../progress.ts';
import { stopOnInterrupt } from '../terminal.ts';

const from = flagGroup('Source');
const { quiet } = outputOptions;

export const pull = defineCommand({
  name: 'pull',
  summary: 'Download a published checkpoint, or resume a download',
  arguments: [
    {
      name: 'NAME',
      about: 'name of a published model (see below), hf:OWNER/REPO or ms:OWNER/REPO',
      required: true,
    },
  ],
  options: z.object({
    source: from(
      z.enum(['auto', 'huggingface', 'modelscope']).default('auto'),
      'Source of a published name; auto tries Hugging Face, then ModelScope.',
      { value: 'NAME' },
    ),
    offline: from(
      z.boolean().default(false),
      'No network: verify the model in the cache, or say what is missing.',
    ),
    ...parallelOption(4, 16),
    stallSeconds: from(
      z.int().min(1).max(3600).default(30),
      'Reconnect after this many seconds without data.',
      { value: 'N' },
    ),
    quiet,
    ...debugOption,
  }),
  examples: [
    { about: 'The English model', line: 'cogvlm2 pull cogvlm2-llama3-chat-19B' },
    {
      about: 'The Chinese model, from ModelScope',
      line: 'cogvlm2 pull cogvlm2-llama3-chinese-chat-19B --source modelscope',
    },
    { about: 'CogVLM 1.1, with the tokenizer of Vicuna', line: 'cogvlm2 pull cogvlm-chat-hf' },
  ],
  notes: `Published models: ${PUBLISHED_MODELS.map((name) => `\`${name}\``).join(', ')}. The models of CogVLM 1
have no tokenizer of their own, so that of \`lmsys/vicuna-7b-v1.5\` is also downloaded, from Hugging Face.

\`--parallel\` counts requests: small files, or parts of 16 MiB of a large file. Files are stored in the caches of the
source's own tools (\`HF_HOME\`, \`HF_HUB_CACHE\`, \`MODELSCOPE_CACHE\`), and files that those tools downloaded are used. Every
file is checked against the hash that the source lists. A pull that was stopped or killed resumes; at most one part for each
request is downloaded again. Mirrors: \`HF_ENDPOINT\`, \`MODELSCOPE_DOMAIN\`. Token: \`HF_TOKEN\`,
or the one that \`huggingface-cli login\` saved (\`HF_TOKEN_PATH\`); only the source sees it. Proxies: \`HTTPS_PROXY\`, \`HTTP_PROXY\`,
\`ALL_PROXY\`, \`NO_PROXY\` (hosts, \`.domains\`, \`10.0.0.0/8\`, IPv6), http and https, not SOCKS. Additional
certificate authorities: PEM files in \`SSL_CERT_FILE\`, \`REQUESTS_CA_BUNDLE\`, \`CURL_CA_BUNDLE\` or \`NODE_EXTRA_CA_CERTS\`.

\`HF_HUB_OFFLINE=1\` is \`--offline\` for both sources. Hugging Face's cache names its files by their hashes, so the hashes are checked
again. In ModelScope's cache, only missing files are detected.`,

  async run(args, options, { terminal, library }) {
    const [name] = args as [string];
    using stop = stopOnInterrupt(terminal);
    const progress = createProgress(terminal, options.quiet);
    let told = '';
    const pulled = await library
      .pull(name, {
        source: options.source,
        offline: options.offline,
        parallel: options.parallel,
        stallMs: options.stallSeconds * 1000,
        pauseMs: backoffMs,
        onPause(why, ms) {
          const line = `cogvlm2: ${why}; next try in ${formatDuration(ms)}\n`;
          // Parallel requests fail with the same reason, and a short pause is over before it can be read.
          if (options.quiet || ms < 3_000 || line === told) return;
          told = line;
          progress.clear();
          terminal.stderr.write(line);
        },
        env: terminal.env,
        signal: stop.signal,
        onProgress: progress.report,
        onFile(file, sizeBytes) {
          progress.clear();
          if (!options.quiet) terminal.stderr.write(`${file}  ${formatBytes(sizeBytes)}, verified\n`);
        },
      })
      .finally(progress.clear);
    terminal.stdout.write(
      options.quiet
        ? `${pulled.modelPath}\n`
        : `${pulled.title}: ${formatCount(pulled.files)} files, ${formatBytes(pulled.sizeBytes)}, in ${pulled.modelPath}.\n`,
    );
    return 0;
  },
});
