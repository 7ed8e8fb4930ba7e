import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { published } from '../../../src/eval/benchmarks.ts';
import { rowsOf } from '../../../src/eval/report/measured.ts';
import { fingerprintOf } from '../../../src/eval/run/fingerprint.ts';
import { cli } from '../../cli/memory-terminal.ts';
import { scriptedLibrary } from '../../cli/scripted-model.ts';
import { type Overrides, resultsOf } from './results.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'report-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function report(...all: (Overrides | string)[]) {
  const files = all.map((one, i) => {
    const file = path.join(folder, `${i}.json`);
    writeFileSync(file, typeof one === 'string' ? one : JSON.stringify(resultsOf(one)));
    return file;
  });
  const [html, markdown] = [path.join(folder, 'a.html'), path.join(folder, 'a.md')];
  const run = await cli(
    ['report', ...files, '--html', html, '--markdown', markdown, '--wrong', '1'],
    scriptedLibrary().library,
  );
  const read = (file: string) => (run.exitCode === 0 ? readFileSync(file, 'utf8') : '');
  return { ...run, html: read(html), markdown: read(markdown) };
}

const bf16 = { score: 71.25, questions: 5000, undecided: 3, empty: 2, broken: 1 };

describe('a report', () => {
  it('has the measured and the twelve published rows, labelled, with dashes for missing scores', async () => {
    const { markdown, html } = await report(bf16, { types: { q4_K: 9 }, score: 68, benchmark: 'docvqa' });
    expect(markdown).toContain('| **demo, bf16** | measured, official | **71.3** | – | – | – | – | – | – |');
    expect(markdown).toContain('| **demo, int4** | measured, official | – | **68.0** | – | – | – | – | – |');
    expect(markdown).toContain(
      '| CogVLM2-LLaMA3 | published | 84.2 | 92.3 | 81.0 | 756 | 44.3 | 60.4 | 80.5 |',
    );
    expect(markdown).toContain('| Gemini Pro 1.5 | published | 73.5 | 86.5 | 81.3 | – | 58.5 | – | – |');
    expect(published).toHaveLength(12);
    for (const { name } of published) expect(html).toContain(`${name}<span class="kind">published</span>`);
    expect(html.match(/<svg role="img"/g)).toHaveLength(7);
  });

  it('has the profile and the counts of every measured score', async () => {
    const { markdown, html } = await report(bf16);
    const counts = ['5,000 questions', '3 undecided', '2 empty', '1 broken'];
    expect(html).toContain(`71.3<span class="counts">${counts.join('<br>')}</span>`);
    expect(html).toContain('measured, profile official');
    expect(markdown).toContain(`| demo, bf16 | official | TextVQA | 71.3 | ${counts.join(', ')} |`);
  });

  it('names a server by its host', () => {
    const results = resultsOf();
    const model = {
      kind: 'endpoint' as const,
      name: 'vlm',
      url: 'http://127.0.0.1:8000/v1/chat/completions',
    };
    const asked = { ...results, settings: { ...results.settings!, model } };
    expect(rowsOf([{ file: 'a.json', results: asked }]).map(({ name }) => name)).toEqual([
      'vlm at 127.0.0.1:8000',
    ]);
  });

  it('has one row for results with the same name, whatever program made the predictions', async () => {
    const predictions = path.join(folder, 'predictions.json');
    writeFileSync(predictions, JSON.stringify([{ id: 1, prediction: '7', answers: Array(10).fill('7') }]));
    const run = (...argv: string[]) => cli(argv, scriptedLibrary().library);
    const score = async (benchmark: string, output: string, ...name: string[]) => {
      const file = path.join(folder, output);
      await run('eval', 'score', benchmark, predictions, '--output', file, ...name);
      return file;
    };
    const files = [
      await score('docvqa', '1', '--name', 'Other <7B>'),
      await score('textvqa', '2', '--name', 'Other <7B>'),
      await score('docvqa', '3'),
    ];
    const markdown = path.join(folder, 'named.md');
    await run('report', ...files, '--html', path.join(folder, 'named.html'), '--markdown', markdown);
    expect(readFileSync(markdown, 'utf8').match(/^.*\| measured, .*$/gm)).toEqual([
      '| **Other &lt;7B&gt;** | measured, official | **100.0** | **100.0** | – | – | – | – | – |',
      '| **predictions of 3** | measured, official | – | **100.0** | – | – | – | – | – |',
    ]);
    const [first, , other] = files as [string, string, string];
    const { out } = await run('eval', 'compare', first, other);
    expect(out.split('\n')[0]).toMatch(/^docvqa +Other <7B> +\S+3$/);
  });

  it('has a column and a chart of the demo benchmark only if it was measured', async () => {
    expect((await report(bf16)).markdown).not.toContain('Demo');
    expect((await report({ benchmark: 'demo' })).html.match(/<svg role="img"/g)).toHaveLength(8);
  });

  it('shows wrong answers with the answer of each measured system, escaped', async () => {
    const rows = resultsOf().rows.map((row) => ({
      ...row,
      prediction: '<script>alert(1)</script>|x',
      score: 1,
    }));
    const { html, markdown } = await report({}, { types: { q8_0: 1 }, rows });
    expect(html).toContain('<dt>demo, bf16</dt><dd class="wrong">&lt;b&gt;6&lt;/b&gt; &amp; more</dd>');
    expect(html).toContain(
      '<dt>demo, int8</dt><dd class="right">&lt;script&gt;alert(1)&lt;/script&gt;|x</dd>',
    );
    expect(html).not.toContain('<script');
    expect(html.match(/https?:/g)).toBe(null);
    expect(markdown).toContain(
      '| 2 | How many? | 5 | &lt;b&gt;6&lt;/b&gt; &amp; more | &lt;script&gt;alert(1)&lt;/script&gt;\\|x |',
    );
    expect(markdown).not.toContain('What brand?');
  });

  it('shows the parts of a benchmark, with a dash for a missing part', async () => {
    const parts = [
      { name: 'rec', score: 12.34 },
      { name: 'exactly ocr+<b>', score: null },
    ];
    const { html, markdown } = await report(
      { benchmark: 'mmvet', parts },
      { benchmark: 'mmvet', name: 'two' },
    );
    expect(html).toContain('<tr><th scope="row">rec</th><td>12.3</td><td>–</td></tr>');
    expect(html).toContain('<th scope="row">exactly ocr+&lt;b&gt;</th><td>–</td>');
    expect(markdown).toContain('| Part | demo, bf16 (official) | two, bf16 (official) |');
    expect(markdown).toContain('| rec | 12.3 | – |');
    expect((await report({})).html).not.toContain('Part by part');
  });

  it('shows the images of wrong answers if the data is given', async () => {
    const data = path.join(folder, 'data.tsv');
    const png = await sharp({ create: { width: 900, height: 30, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    writeFileSync(
      data,
      `index\timage\tquestion\n1\tAAAA\tWhat brand?\n2\t${png.toString('base64')}\tHow many?\n`,
    );
    const { settings } = resultsOf();
    const made = { ...settings!, data: { name: 'data.tsv', ...(await fingerprintOf([data])) } };
    const [file, html] = [path.join(folder, 'r.json'), path.join(folder, 'p.html')];
    writeFileSync(file, JSON.stringify({ ...resultsOf(), settings: made }));
    const markdown = path.join(folder, 'p.md');
    const run = (data: string) =>
      cli(
        ['report', file, '--data', data, '--html', html, '--markdown', markdown],
        scriptedLibrary().library,
      );
    expect(await run(data)).toMatchObject({ exitCode: 0 });
    const [, url] = /<img src="data:image\/webp;base64,([^"]+)"/.exec(readFileSync(html, 'utf8'))!;
    expect(await sharp(Buffer.from(url!, 'base64')).metadata()).toMatchObject({ width: 640, height: 21 });
    writeFileSync(data, `${readFileSync(data, 'utf8')}3\tAAAA\tNew?\n`);
    expect((await run(data)).err).toContain('No results with wrong answers were made from the current');
  });

  it('says how many wrong answers are left out', async () => {
    const rows = resultsOf().rows.map((row) => ({ ...row, score: null }));
    const { html } = await report({ rows });
    expect(html).toContain('2 wrong; the first 1 are shown');
    expect(html).toContain('<dd class="undecided">');
  });

  it.each([
    [['{'], 2, /0\.json is not JSON/],
    [['{"kind": "x"}'], 2, /not a results file of cogvlm2 eval \(kind: /],
    [[bf16, bf16], 2, /0\.json and .*1\.json are both textvqa of demo, bf16 by the profile official/],
  ])('refuses %j', async (files, code, sentence) => {
    const { exitCode, err } = await report(...files);
    expect(exitCode).toBe(code);
    expect(err).toMatch(sentence);
  });
});
