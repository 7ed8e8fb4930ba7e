/** Deletion during a batch, and undo. */
import { beforeEach, describe, expect, it } from 'vitest';
import { withCells } from '../../web/batch/rows.ts';
import type { Batch, Row } from '../../web/batch/types.ts';
import { changeBatch, deleteBatch, removeRow } from '../../web/state/batches.ts';
import { state } from '../../web/state/state.ts';

const row = (id: string, of: Row['state']): Row => ({
  id,
  file: `${id}.png`,
  page: null,
  pageCount: null,
  imageId: id,
  state: of,
  failure: null,
  cells: {},
  conversationId: null,
});
const batch: Batch = {
  id: 'b',
  name: 'b',
  createdAt: 0,
  updatedAt: 0,
  plan: { kind: 'questions', columns: [], schema: null, asks: 'separately' },
  rows: [row('one', 'done'), row('two', 'running'), row('three', 'running')],
};
const states = () => state.value.batches[0]?.rows.map((each) => `${each.id} ${each.state}`);
const undo = () => state.value.notices.at(-1)?.action?.run();

describe('undo after a deletion during a batch', () => {
  beforeEach(() => state.set({ batches: [batch], notices: [] }));

  it('restores a page, and keeps the answers that came after the deletion', () => {
    removeRow('b', 'two');
    expect(states()).toEqual(['one done', 'three running']);
    const cell = { value: '7', text: '7', correction: null, isDoubtful: false, evidence: [] };
    changeBatch('b', (now) => withCells(now, 'three', { total: cell }));
    undo();
    // The answer was not kept, so the page is asked again.
    expect(states()).toEqual(['one done', 'two waiting', 'three running']);
    expect(state.value.batches[0]?.rows[2]?.cells).toEqual({ total: cell });
  });

  it('restores a table; its run remains stopped', () => {
    deleteBatch('b');
    expect(state.value.batches).toEqual([]);
    undo();
    expect(states()).toEqual(['one done', 'two waiting', 'three waiting']);
  });
});
