/**
 * Renders hostile answers like the chat page, in a browser without a content security policy, so that the test does not depend on the
 * policy. Run by hand: `npx tsx test/fuzz/render.ts [--renders 8000] [--seed N]`.
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { launchChromium } from '../web/chromium.ts';
import { hostileAnswer } from './answers.ts';
import { Random } from './random.ts';

export interface RenderReport {
  seed: number;
  renders: number;
  /** Texts that ran code, gave an element or attribute that is not allowed, or threw an error. */
  findings: { text: string; what: string }[];
  longestMs: number;
}

interface Drawn {
  wrong: string[];
  ms: number;
}

/** Runs in the browser. Renders a growing text, then the whole text, and reports elements that are not allowed. */
const DRAW = `
import { blocksOf, elementsOf } from ${JSON.stringify(fileURLToPath(new URL('../../web/markdown/render.ts', import.meta.url)))};
import { closeOpen } from ${JSON.stringify(fileURLToPath(new URL('../../web/markdown/close-open.ts', import.meta.url)))};
const FORBIDDEN = 'script,iframe,object,embed,form,input,button,select,textarea,style,link,meta,base,svg,img,video,audio,template,details,foreignObject,annotation-xml,mglyph';
const place = document.body.appendChild(document.createElement('div'));
const draw = async (text) => {
  const wrong = [];
  const startedAt = performance.now();
  for (const part of [closeOpen(text.slice(0, text.length >> 1)), text]) {
    const blocks = blocksOf(part);
    const all = document.createDocumentFragment();
    for (const block of blocks) all.append(elementsOf(block, place));
    place.replaceChildren(all);
  }
  const ms = performance.now() - startedAt;
  for (const element of place.querySelectorAll('*')) {
    if (element.matches(FORBIDDEN)) wrong.push('element ' + element.localName);
    for (const { name, value } of element.attributes) {
      if (/^on/i.test(name) || ['src', 'srcset', 'srcdoc', 'action', 'formaction', 'xlink:href', 'id', 'name'].includes(name))
        wrong.push('attribute ' + name);
      if (name === 'href' && !/^(?:https?:|mailto:)/i.test(value)) wrong.push('address ' + value);
      if (/url\\(|expression|javascript:/i.test(name === 'style' ? value : '')) wrong.push('style ' + value);
    }
  }
  for (const link of place.querySelectorAll('a')) {
    if (link.rel !== 'noopener noreferrer') wrong.push('a link with a referrer or an opener');
    if (!['http:', 'https:', 'mailto:', ':', ''].includes(link.protocol)) wrong.push('address ' + link.href);
  }
  // Errors of images occur later.
  await new Promise((resolve) => setTimeout(resolve, 0));
  if (window.harmed) wrong.push('code ran');
  window.harmed = undefined;
  return { wrong, ms };
};
window.drawAll = async (texts) => {
  const all = [];
  for (const text of texts) all.push(await draw(text).catch((error) => ({ wrong: ['error ' + error], ms: 0 })));
  return all;
};`;

export async function fuzzRendering(seed: number, renders: number, seconds: number): Promise<RenderReport> {
  const random = new Random(seed);
  const report: RenderReport = { seed, renders: 0, findings: [], longestMs: 0 };
  const { outputFiles } = await build({
    stdin: { contents: DRAW, resolveDir: fileURLToPath(new URL('../../', import.meta.url)), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    page.on('dialog', (dialog) => void dialog.dismiss());
    await page.setContent('<!doctype html><title>answers</title>');
    await page.addScriptTag({ content: outputFiles[0]!.text });
    const deadline = performance.now() + seconds * 1_000;
    while (report.renders < renders && performance.now() < deadline) {
      const texts = Array.from({ length: 50 }, () => hostileAnswer(random));
      requests.length = 0;
      // A string, because this project's types have no `window`.
      const results = await page.evaluate<Drawn[]>(`window.drawAll(${JSON.stringify(texts)})`);
      for (const [i, { wrong, ms }] of results.entries()) {
        report.renders++;
        report.longestMs = Math.max(report.longestMs, ms);
        if (wrong.length > 0) report.findings.push({ text: texts[i]!, what: wrong.join(', ') });
      }
      for (const url of requests) report.findings.push({ text: texts.join('\n'), what: `request to ${url}` });
    }
  } finally {
    await browser.close();
  }
  return report;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      renders: { type: 'string', default: '8000' },
      seconds: { type: 'string', default: '3600' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  process.stdout.write(`seed ${values.seed}\n`);
  const report = await fuzzRendering(Number(values.seed), Number(values.renders), Number(values.seconds));
  process.stdout.write(
    `${JSON.stringify({ ...report, findings: report.findings.length, examples: report.findings.slice(0, 10) }, null, 1)}\n`,
  );
  if (report.findings.length > 0) process.exitCode = 1;
}
