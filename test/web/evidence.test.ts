/** The regions from which an answer was read, as sent by the server, and the regions of a field. */
import { describe, expect, it } from 'vitest';
import { evidenceOf, placesOf, valueSpan } from '../../web/document/evidence.ts';
import {
  isLargeEnough,
  nudged,
  onWholeImage,
  pixelsOf,
  placeBetween,
  rotated,
} from '../../web/document/place.ts';
import { titleOf } from '../../web/state/tab-title.ts';

const cell = (x: number, score: number) => ({ x, y: 0.5, width: 0.1, height: 0.1, score });

describe('evidence', () => {
  it('is read from events, and invalid entries are omitted', () => {
    const wire = {
      cells: [cell(0.1, 1), { x: 7 }],
      tokens: [{ start: 0, end: 2, cells: [cell(0.2, 0.5)] }, 3],
    };
    expect(evidenceOf(wire)).toEqual({
      cells: [cell(0.1, 1)],
      tokens: [{ start: 0, end: 2, cells: [cell(0.2, 0.5)] }],
    });
    expect(evidenceOf(undefined)).toBeNull();
    expect(evidenceOf({ cells: 1 })).toBeNull();
  });

  it('of a part of an answer has the cells of its tokens, without noise', () => {
    const evidence = {
      cells: [],
      tokens: [
        { start: 0, end: 4, cells: [cell(0.1, 0.9)] },
        { start: 4, end: 6, cells: [cell(0.2, 0.5), cell(0.3, 0.1)] },
        { start: 6, end: 8, cells: [cell(0.2, 0.4), cell(0.4, 0.4)] },
      ],
    };
    expect(placesOf(evidence, 4, 8).map(({ x }) => x)).toEqual([0.2, 0.4]);
    expect(placesOf(evidence, 9, 12)).toEqual([]);
  });

  it('of a region is moved to its position on the whole image', () => {
    const [place] = onWholeImage([{ x: 0.5, y: 0, width: 0.5, height: 1 }], {
      x: 0.2,
      y: 0.4,
      width: 0.4,
      height: 0.2,
    });
    expect(place).toEqual({ x: 0.4, y: 0.4, width: 0.2, height: 0.2 });
  });

  it.each([
    ['{"a":1,"total":"9.50","b":2}', 'total', '"9.50"'],
    ['{ "total" : 9.5 }', 'total', '9.5'],
    ['{"a":{"total":1},"total":[1,{"x":"]"}]}', 'total', '[1,{"x":"]"}]'],
    ['{"a":"\\"total\\": 7","total":null}', 'total', 'null'],
    ['{"合计":"￥12"}', '合计', '"￥12"'],
  ])('finds the value in %s', (json, name, value) => {
    const span = valueSpan(json, name);
    expect(span && json.slice(span.start, span.end)).toBe(value);
  });

  it('does not find a missing value', () => {
    expect(valueSpan('{"a":{"total":1}}', 'total')).toBeNull();
    expect(valueSpan('no JSON', 'total')).toBeNull();
  });
});

describe('a region', () => {
  it('lies between two points in any order, inside the image', () => {
    expect(placeBetween({ x: 0.75, y: 1.5 }, { x: 0.25, y: 0.5 })).toEqual({
      x: 0.25,
      y: 0.5,
      width: 0.5,
      height: 0.5,
    });
    expect(isLargeEnough(placeBetween({ x: 0.5, y: 0.5 }, { x: 0.5, y: 0.9 }))).toBe(false);
  });

  it('remains inside the image when it is moved or resized', () => {
    const place = { x: 0.75, y: 0, width: 0.25, height: 0.5 };
    expect(nudged(place, 0.5, -0.5, false)).toEqual(place);
    expect(nudged(place, 0.5, 0.25, true)).toEqual({ ...place, height: 0.75 });
  });

  it('keeps its content when the image is rotated', () => {
    // A tall narrow region at the lower left becomes a low wide region at the upper left after a quarter turn.
    const place = { x: 0, y: 0.5, width: 0.25, height: 0.5 };
    expect(rotated(place, 1)).toEqual({ x: 0, y: 0, width: 0.5, height: 0.25 });
    expect(rotated(place, 2)).toEqual({ x: 0.75, y: 0, width: 0.25, height: 0.5 });
    expect(rotated(place, 3)).toEqual({ x: 0.5, y: 0.75, width: 0.5, height: 0.25 });
    expect(rotated(place, 4)).toEqual(place);
  });

  it('has at least one pixel', () => {
    const size = { width: 10, height: 10 };
    expect(pixelsOf({ x: 1, y: 1, width: 0, height: 0 }, size)).toEqual({ x: 9, y: 9, width: 1, height: 1 });
    expect(pixelsOf({ x: 0.25, y: 0, width: 0.5, height: 1 }, size)).toEqual({
      x: 2,
      y: 0,
      width: 6,
      height: 10,
    });
  });
});

describe('the title of the tab', () => {
  it('shows the progress of the work, and its end', () => {
    const running = { t: { stop() {}, stage: null, done: 0, total: 0, stageSinceMs: 0 } };
    const run = { stop() {}, startedAtMs: 0, total: 20, done: 3, rows: {} };
    expect(titleOf({ batchRuns: { b: run }, running }, false)).toBe('3/20 CogVLM2');
    expect(titleOf({ batchRuns: {}, running }, false)).toBe('… CogVLM2');
    expect(titleOf({ batchRuns: {}, running: {} }, true)).toBe('✓ CogVLM2');
    expect(titleOf({ batchRuns: {}, running: {} }, false)).toBe('CogVLM2');
  });
});
