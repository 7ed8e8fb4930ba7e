/** The questions of a batch, its cells, and its exports. */
import { describe, expect, it } from 'vitest';
import { cellOfText, cellsOfJson, numberIn, shownValue } from '../../web/batch/cells.ts';
import { clipboardOf, csvOf, jsonLinesOf } from '../../web/batch/export.ts';
import { missingColumns, questionOf, readSchema, SchemaError, schemaOf } from '../../web/batch/plan.ts';
import {
  settledBatch,
  withCells,
  withCorrection,
  withoutAnswers,
  withRetries,
} from '../../web/batch/rows.ts';
import { isBatch } from '../../web/batch/stored.ts';
import type { Batch, Column, Plan, Row } from '../../web/batch/types.ts';

const column = (name: string, more: Partial<Column> = {}): Column => ({
  id: name,
  name,
  type: 'text',
  isRequired: true,
  hint: '',
  ...more,
});
const plan: Plan = {
  kind: 'fields',
  columns: [column('Shop', { hint: 'Who sells?' }), column('Total', { type: 'number', isRequired: false })],
  schema: null,
  asks: 'together',
};
const row = (id: string, more: Partial<Row> = {}): Row => ({
  id,
  file: `${id}.pdf`,
  page: 2,
  pageCount: 3,
  imageId: 'p',
  state: 'waiting',
  failure: null,
  cells: {},
  conversationId: null,
  ...more,
});
const batch = (...rows: Row[]): Batch => ({ id: 'b', name: 'b', createdAt: 0, updatedAt: 0, plan, rows });

describe('a plan', () => {
  it('is a JSON Schema', () => {
    expect(schemaOf(plan)).toEqual({
      type: 'object',
      properties: { Shop: { type: 'string', description: 'Who sells?' }, Total: { type: 'number' } },
      required: ['Shop'],
      additionalProperties: false,
    });
  });

  it('does not ask for a field without a name, or twice for the same field', () => {
    const columns = [...plan.columns, column(''), column('Total')];
    expect(schemaOf({ ...plan, columns })).toEqual(schemaOf(plan));
  });

  it('asks a question for each column; a hint that is a question replaces it', () => {
    const ask = (name: string) => `What is the ${name}?`;
    expect(plan.columns.map((each) => questionOf(plan, each, ask))).toEqual([
      'Who sells?',
      'What is the Total?',
    ]);
    expect(questionOf(plan, column('Total', { hint: 'with tax' }), ask)).toBe(
      'What is the Total? (with tax)',
    );
    expect(questionOf({ ...plan, kind: 'questions' }, column(' How much? '), ask)).toBe('How much?');
  });

  it('accepts a pasted schema, also inside a request', () => {
    const schema = {
      type: 'object',
      properties: {
        total: { type: ['number', 'null'] },
        items: { type: 'array' },
        paid: { type: 'boolean' },
      },
      required: ['total'],
    };
    for (const pasted of [schema, { name: 'invoice', strict: true, schema }]) {
      const read = readSchema(JSON.stringify(pasted), () => 'id');
      expect(read.schema).toEqual(schema);
      expect(read.columns.map(({ name, type, isRequired }) => [name, type, isRequired])).toEqual([
        ['total', 'number', true],
        ['items', 'list', false],
        ['paid', 'boolean', false],
      ]);
    }
  });

  it.each([
    ['{"type":"obj', 'notJson'],
    ['[1]', 'notAnObject'],
    ['{"type":"array"}', 'notAnObject'],
    ['{"type":"object"}', 'noProperties'],
  ])('refuses %s', (text, problem) => {
    expect(() => readSchema(text, () => 'id')).toThrow(new SchemaError(problem as 'notJson'));
  });
});

describe('a cell', () => {
  it.each([
    ['$1,234.50', 1234.5],
    ['1.234,50 €', 1234.5],
    ['￥12', 12],
    ['12,5', 12.5],
    ['1,234', 1234],
    ['1 234 567,8', 1234567.8],
    ["CHF 1'200.-", 1200],
    ['1.000.000', 1000000],
    ['0.125', 0.125],
    ['-7.30', -7.3],
    ['7.00 (2 items)', null],
    ['none', null],
  ])('reads the number in %s', (text, number) => {
    expect(numberIn(text)).toBe(number);
  });

  it('keeps the text of the model, and marks a text that does not fit the type', () => {
    const number = column('Total', { type: 'number' });
    expect(cellOfText(number, ' 9.50\n', [])).toMatchObject({ value: 9.5, text: '9.50', isDoubtful: false });
    expect(cellOfText(number, 'soon', [])).toMatchObject({ value: 'soon', text: 'soon', isDoubtful: true });
    expect(cellOfText(column('Paid', { type: 'boolean' }), '是的', []).value).toBe(true);
    expect(cellOfText(column('Items', { type: 'list' }), '面条、米饭', []).value).toEqual(['面条', '米饭']);
  });

  it('is read from a JSON object by its name; other JSON is no answer', () => {
    const cells = cellsOfJson(plan.columns, '{"Shop":"A","Total":7}', () => []);
    expect(shownValue(cells?.Total)).toBe('7');
    expect(cellsOfJson(plan.columns, '{"Shop":"A', () => [])).toBeNull();
    expect(cellsOfJson(plan.columns, '[1]', () => [])).toBeNull();
  });
});

describe('rows', () => {
  const read = withCells(batch(row('a', { state: 'done' })), 'a', {
    Shop: cellOfText(plan.columns[0]!, 'Acme', []),
  });

  it('get only the questions without an answer', () => {
    expect(missingColumns(plan, read.rows[0]!).map(({ name }) => name)).toEqual(['Total']);
  });

  it('keep the value of the model beside a correction', () => {
    const corrected = withCorrection(read, 'a', 'Shop', 'Acme Ltd');
    expect(corrected.rows[0]?.cells.Shop).toMatchObject({ value: 'Acme', correction: 'Acme Ltd' });
    expect(shownValue(corrected.rows[0]?.cells.Shop)).toBe('Acme Ltd');
    expect(JSON.parse(jsonLinesOf(corrected))).toMatchObject({
      values: { Shop: 'Acme' },
      corrections: { Shop: 'Acme Ltd' },
    });
  });

  it('wait again after the page was closed, after a retry, and if all questions are asked again', () => {
    const failure = { code: 'x', message: 'y' };
    const states = (of: Batch) => of.rows.map(({ state }) => state);
    const all = batch(
      row('a', { state: 'running' }),
      row('b', { state: 'failed', failure }),
      row('c', { state: 'failed', failure, imageId: null }),
      row('d', { state: 'done' }),
    );
    expect(states(settledBatch(all))).toEqual(['waiting', 'failed', 'failed', 'done']);
    expect(states(withRetries(all))).toEqual(['running', 'waiting', 'failed', 'done']);
    expect(states(withoutAnswers(all))).toEqual(['waiting', 'waiting', 'failed', 'waiting']);
  });

  it('are recognized in the database, and other values are not', () => {
    expect(isBatch(JSON.parse(JSON.stringify(read)))).toBe(true);
    for (const broken of [null, {}, { ...read, rows: [{}] }, { ...read, plan: { kind: 'x', columns: [] } }])
      expect(isBatch(broken)).toBe(false);
  });
});

describe('an export', () => {
  const head = { file: 'File', page: 'Page', state: 'State' };
  const table = withCells(batch(row('a', { state: 'done' })), 'a', {
    Shop: cellOfText(plan.columns[0]!, '=HYPERLINK("x") <b>,\n"A"', []),
    Total: cellOfText(plan.columns[1]!, '-9.50', []),
  });

  it('is CSV that Excel reads as UTF-8, without formulas', () => {
    expect(csvOf(table, head)).toBe(
      '\ufeffFile,Page,Shop,Total,State\r\na.pdf,2,"\'=HYPERLINK(""x"") <b>,\n""A""",-9.50,done\r\n',
    );
  });

  it('is a table for the clipboard, as HTML and with tabs', () => {
    const { html, text } = clipboardOf(table, head);
    expect(html).toContain('<td>\'=HYPERLINK("x") &lt;b&gt;,<br>"A"</td><td>-9.50</td>');
    expect(text.split('\n')[1]).toBe('a.pdf\t2\t\'=HYPERLINK("x") <b>, "A"\t-9.50\tdone');
  });
});
