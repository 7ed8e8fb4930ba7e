/** Workbooks as pandas reads them, and files that are not workbooks. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { CogVLM2Error } from '../../../src/errors.ts';
import { openSource } from '../../../src/eval/data/files.ts';
import type { SourceRow } from '../../../src/eval/row.ts';
import { runEvalScore } from '../../../src/eval/score/score-file.ts';
import { sheetOf, workbookOf, type ZipPart, zipOf } from './workbook.ts';

const fixtures = 'test/fixtures/eval/xlsx';
const folder = mkdtempSync(path.join(tmpdir(), 'xlsx-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function rowsOf(file: string): Promise<SourceRow[]> {
  await using source = await openSource(file);
  const rows: SourceRow[] = [];
  for await (const row of source.scan()) rows.push(row);
  return rows;
}

async function read(content: Buffer | ZipPart[]): Promise<SourceRow[]> {
  const file = path.join(folder, 'file.xlsx');
  writeFileSync(file, Buffer.isBuffer(content) ? content : zipOf(content));
  return await rowsOf(file);
}

/** pandas 3.1.1 wrote them with each of its engines, and read them with openpyxl 3.1.5 (2.2.3 reads the same, except for `booltext`). */
describe.each(['openpyxl', 'xlsxwriter'])('cells written by %s', (engine) => {
  const expected: Record<string, (string | null)[]> = JSON.parse(
    readFileSync(`${fixtures}/pandas.json`, 'utf8'),
  )[engine];
  test.each(Object.keys(expected))('%s', async (name) => {
    const rows = await rowsOf(`${fixtures}/${engine}.xlsx`);
    expect(rows.map((row) => (typeof row === 'string' ? row : row[name]))).toEqual(expected[name]);
  });
});

describe('a workbook', () => {
  test('may have rich text, prefixes, cell references, comments, and rows without cells', async () => {
    const sheet =
      '<x:row r="1"><x:c r="B1" t="s"><x:v>1</x:v></x:c><x:c r="A1" t="inlineStr"><x:is><x:r><x:t>in</x:t></x:r><x:r><x:t>dex</x:t></x:r></x:is></x:c></x:row>' +
      '<x:row r="3"/><x:row r="9"><x:c r="B9" t="str"><x:f>"a"&amp;A9</x:f><x:v>a<!-- no -->7</x:v></x:c></x:row>' +
      '<x:row><x:c r="C10" t="e"><x:v>#DIV/0!</x:v></x:c><x:c><x:v>1</x:v></x:c></x:row>';
    const strings =
      '<x:sst><x:si/><x:si><x:r><x:rPr><x:b/></x:rPr><x:t>pre</x:t></x:r><x:r><x:t xml:space="preserve">dict &amp;&#x41;<![CDATA[<]]></x:t></x:r><x:rPh><x:t>aloud</x:t></x:rPh></x:si></x:sst>';
    expect(await read(workbookOf(sheet, strings))).toEqual([
      { index: null, 'predict &A<': 'a7', 'Unnamed: 2': null, 'Unnamed: 3': null },
      { index: null, 'predict &A<': null, 'Unnamed: 2': null, 'Unnamed: 3': '1.0' },
    ]);
  });

  test('may have a chart as its first sheet', async () => {
    const parts = workbookOf(sheetOf([['id'], ['q1']])).map(({ name, content }) => ({
      name,
      content: String(content)
        .replace('<sheets>', '<sheets><sheet name="chart" sheetId="2" r:id="rId9"/>')
        .replace('</R>', '<Relationship Id="rId9" Type="x/chartsheet" Target="chart.xml"/></R>'),
    }));
    expect(await read(parts)).toEqual([{ id: 'q1' }]);
  });

  test('may have empty cells of any type', async () => {
    const kinds = ['n', 's', 'b', 'str', 'd'].map((kind) => `<c t="${kind}"><v/></c>`).join('');
    const [row] = await read(
      workbookOf(`${sheetOf([['n', 's', 'b', 'str', 'd', 'last']])}<row>${kinds}<c><v>1</v></c></row>`),
    );
    expect(row).toEqual({ n: null, s: null, b: null, str: null, d: null, last: '1' });
  });

  test('has dates, which their style marks', async () => {
    const styles =
      '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="[$-409]yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="0.0 &quot;days&quot;"/><numFmt numFmtId="166" formatCode="[h]:mm"/></numFmts>' +
      '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="21"/></cellXfs></styleSheet>';
    const cells = [1, 2, 3, 4, 5].map((style) => `<c s="${style}"><v>45292.25</v></c>`).join('');
    const [row] = await read(
      workbookOf(
        `${sheetOf([['a', 'b', 'c', 'd', 'e', 'f']])}<row>${cells}<c s="5"><v>0.5</v></c></row>`,
        undefined,
        styles,
      ),
    );
    const date = '2024-01-01 06:00:00';
    expect(row).toEqual({ a: date, b: date, c: '45292.25', d: '45292.25', e: date, f: '12:00:00' });
  });

  test('of predictions gets the same scores as JSON with the same rows', async () => {
    const rows = [
      { index: 3, question: 'q', A: 'x', B: 'y', answer: 'B', prediction: 'B' },
      { index: 1_000_003, question: 'q', A: 'y', B: 'x', answer: 'A', prediction: 'The answer is A.' },
      { index: 4, question: 'q', A: 'x', B: 'None', answer: 'A', prediction: 'None' },
    ];
    const names = ['index', 'question', 'A', 'B', 'answer', 'prediction'] as const;
    const file = path.join(folder, 'MODEL_MMBench.xlsx');
    writeFileSync(
      file,
      zipOf(workbookOf(sheetOf([names, ...rows.map((row) => names.map((name) => row[name]))]))),
    );
    const results = await runEvalScore({ benchmark: 'mmbench', file, stdout: { write: () => true } });
    expect(results).toMatchObject({ questions: 2, score: 50, empty: 1, broken: 0 });
    expect(results.rows.map(({ id }) => id)).toEqual(['3', '1000003', '4']);
  });

  test('with names only has nothing to score', async () => {
    const file = path.join(folder, 'names.xlsx');
    writeFileSync(file, zipOf(workbookOf(sheetOf([['index', 'prediction']]))));
    const scored = runEvalScore({ benchmark: 'mmbench', file, stdout: { write: () => true } });
    await expect(scored).rejects.toThrow('nothing to score');
  });
});

describe('a message says why a file cannot be read', () => {
  const row = '<row><c><v>1</v></c></row>';
  const good = workbookOf(row);
  const without = (name: string) => good.filter((part) => part.name !== name);
  const deep = '<a>'.repeat(65);
  const many = Array.from({ length: 65 }, (_, i) => `a${i}=""`).join(' ');
  test.each<[string, ZipPart[], RegExp]>([
    ['no workbook', [{ name: 'a.txt', content: 'a' }], /it lacks _rels\/\.rels\.$/],
    ['no sheet', without('xl/sheet.xml'), /it lacks xl\/sheet\.xml\.$/],
    ['no links', without('xl/_rels/workbook.xml.rels'), /it lacks xl\/_rels\/workbook\.xml\.rels\.$/],
    [
      'a password',
      good.map((part) => ({ ...part, encrypted: part.name === 'xl/sheet.xml' })),
      /: xl\/sheet\.xml needs a password; save the workbook without one\.$/,
    ],
    [
      'a text that is not there',
      workbookOf('<row><c t="s"><v>2</v></c></row>', '<sst><si><t>a</t></si></sst>'),
      /: a cell refers to text 2; there are 1, from 0\.$/,
    ],
    ['not XML', workbookOf('<row>'), /unexpected close tag/],
    [
      'cut XML',
      [...without('xl/sheet.xml'), { name: 'xl/sheet.xml', content: '<worksheet><sheet' }],
      /unclosed|unexpected/,
    ],
    [
      'not UTF-8',
      [...without('xl/sheet.xml'), { name: 'xl/sheet.xml', content: Buffer.from([0x3c, 0xff]) }],
      /encoded data/,
    ],
    [
      'entities of its own',
      workbookOf(row, '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><sst><si><t>&b;</t></si></sst>'),
      /undefined entity\.$/,
    ],
    ['deep elements', workbookOf(row, deep), /nested more than 64 deep\.$/],
    ['many attributes', workbookOf(row, `<sst ${many}/>`), /more than 64 attributes\.$/],
    [
      'a cell beyond the format',
      workbookOf('<row><c r="XFE1"><v>1</v></c></row>'),
      /more than 16384 cells\.$/,
    ],
    [
      'a wide span',
      workbookOf(`${row.repeat(600)}<row><c r="XFD1"><v>1</v></c></row>`),
      /spans more than 2097152 cells\.$/,
    ],
    [
      'a part that says that it is large',
      [...without('xl/sheet.xml'), { name: 'xl/sheet.xml', content: row, saidBytes: 2 ** 26 + 1 }],
      /xl\/sheet\.xml is 67108865 bytes when unpacked; it is read up to 67108864\.$/,
    ],
    [
      'a part that is larger than it says',
      [...without('xl/sheet.xml'), { name: 'xl/sheet.xml', content: ' '.repeat(2 ** 20), saidBytes: 100 }],
      /too many bytes/,
    ],
  ])('%s', async (_what, parts, sentence) => {
    await expect(read(parts)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(sentence),
    });
  });

  test('a workbook from before 2007, or with a password, which has the same container', async () => {
    const old = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(512)]);
    await expect(read(old)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(/a workbook with a password, or an old \.xls: save it as \.xlsx/),
    });
  });

  test('a damaged file: cut anywhere, or with a changed byte', async () => {
    const whole = readFileSync(`${fixtures}/openpyxl.xlsx`);
    for (let at = 4; at < whole.length; at += 97) {
      await expect(read(whole.subarray(0, at))).rejects.toMatchObject({ code: 'invalid_value' });
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x55;
      await read(changed).catch((error: unknown) => expect(error).toBeInstanceOf(CogVLM2Error));
    }
  });
});
