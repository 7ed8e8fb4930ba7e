import { describe, expect, it } from 'vitest';
import type { Batch } from '../../web/batch/types.ts';
import { contextUse } from '../../web/conversation/context-use.ts';
import { dayOf, found, foundBatches, titleOf, withConversation } from '../../web/conversation/search.ts';
import {
  emptyAnswer,
  imageIdOf,
  pathOf,
  pathTo,
  settled,
  showing,
  versionsOf,
  withAnswer,
  withTurn,
} from '../../web/conversation/tree.ts';
import type { Conversation, StoredImage, Turn } from '../../web/conversation/types.ts';

const empty: Conversation = { id: 'c', title: null, createdAt: 0, updatedAt: 0, turns: [], chosen: {} };
const turn = (id: string, parentId: string | null, more: Partial<Turn> = {}): Turn => ({
  id,
  parentId,
  createdAt: 0,
  question: `${id}?`,
  imageId: null,
  region: null,
  answer: emptyAnswer,
  ...more,
});
const grown = (...turns: Turn[]) => turns.reduce((so, each) => withTurn(so, each, 1), empty);
const ids = (turns: readonly Turn[]) => turns.map(({ id }) => id).join(' ');

describe('a conversation', () => {
  it('shows the newest turn, and keeps the previous version with all its following turns', () => {
    const first = grown(turn('a', null), turn('b', 'a'), turn('c', 'b'));
    const edited = withTurn(first, turn('b2', 'a'), 2);
    expect(ids(pathOf(edited))).toBe('a b2');
    expect(ids(versionsOf(edited, turn('b2', 'a')))).toBe('b b2');
    expect(ids(pathOf(showing(edited, turn('b', 'a'))))).toBe('a b c');
  });

  it('replaces a turn without an answer that is asked again', () => {
    const again = withTurn(grown(turn('a', null)), turn('a', null, { question: 'once more?' }), 2);
    expect(again.turns).toHaveLength(1);
    expect(again.turns[0]?.question).toBe('once more?');
  });

  it('uses the newest image before a turn, but not an image of another version', () => {
    const two = grown(
      turn('a', null, { imageId: 'p1' }),
      turn('b', 'a', { imageId: 'p2' }),
      turn('b2', 'a'),
      turn('c', 'b2'),
    );
    expect(imageIdOf(pathTo(two, 'b'))).toBe('p2');
    expect(imageIdOf(pathTo(two, 'c'))).toBe('p1');
  });

  it('has no running answer after a reload, and keeps the text so far', () => {
    const running = withAnswer(grown(turn('a', null)), 'a', { text: 'half an' });
    expect(settled(running).turns[0]?.answer).toMatchObject({ state: 'interrupted', text: 'half an' });
  });
});

describe('the context', () => {
  const usage = { promptTokens: 2320, imageTokens: 2306, completionTokens: 30 };

  it('counts the tokens of the image and of the text after the last answer', () => {
    const path = [turn('a', null, { answer: { ...emptyAnswer, usage } }), turn('b', 'a')];
    expect(contextUse(path, false, 2306)).toEqual({ imageTokens: 2306, textTokens: 44 });
  });

  it('counts an image in the composer once', () => {
    expect(contextUse([], true, 2306)).toEqual({ imageTokens: 2306, textTokens: 0 });
    const path = [turn('a', null, { answer: { ...emptyAnswer, usage } })];
    expect(contextUse(path, true, 2306).imageTokens).toBe(2306);
  });
});

describe('search', () => {
  const conversation = grown(
    turn('a', null, { question: 'What is the TOTAL?', answer: { ...emptyAnswer, text: 'It is 21.40 元。' } }),
  );

  it.each([
    ['total', 1],
    ['21.40 what', 1],
    ['元', 1],
    ['', 1],
    ['total missing', 0],
  ])('for %j finds %i', (words, count) => {
    expect(found([conversation], {}, words)).toHaveLength(count);
  });

  it.each([
    ['june  CAFE', 1],
    ['cafe ', 1],
    ['', 1],
    ['june market', 0],
  ])('for %j finds %i tables, by their names and files', (words, count) => {
    const batch = { name: 'June', rows: [{ file: 'books.png' }, { file: 'cafe.png' }] } as Batch;
    expect(foundBatches([batch], words)).toHaveLength(count);
  });

  it('has the conversation with the newest question first, and each conversation once', () => {
    const at = (id: string, updatedAt: number) => ({ ...empty, id, updatedAt });
    const list = withConversation([at('b', 2), at('a', 1)], at('a', 3));
    expect(list.map(({ id, updatedAt }) => `${id}${updatedAt}`)).toEqual(['a3', 'b2']);
  });

  it('names a conversation by its name, its image, or its first question', () => {
    const image = { id: 'p', name: 'invoice.png' } as StoredImage;
    const about = (imageId: string | null) => grown(turn('a', null, { question: '  two\n lines ', imageId }));
    expect(titleOf(about(null), {})).toBe('two lines');
    expect(titleOf(about('p'), { p: image })).toBe('invoice.png');
    expect(titleOf({ ...about('p'), title: 'March' }, { p: image })).toBe('March');
    expect(titleOf(empty, {})).toBeNull();
  });

  it('groups by the days of the calendar', () => {
    const now = new Date(2026, 10, 24, 0, 30).getTime();
    expect(dayOf(now - 10 * 60_000, now)).toBe('today');
    expect(dayOf(now - 40 * 60_000, now)).toBe('yesterday');
    expect(dayOf(now - 25 * 3_600_000, now)).toBe('earlier');
  });
});
