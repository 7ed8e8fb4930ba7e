import { expect, test } from 'vitest';
import { CogVLM2Error } from '../../src/errors.ts';
import { StopStrings } from '../../src/text/stop-strings.ts';
import { seeded } from './fixtures.ts';

function run(stops: string[], pieces: string[]) {
  const filter = new StopStrings(stops);
  let text = '';
  for (const piece of pieces) {
    const result = filter.push(piece);
    text += result.text;
    if (result.stopped) return { text: text + filter.flush(), found: filter.found };
  }
  return { text: text + filter.flush(), found: filter.found };
}

test('a stop string across pieces ends the text and is not shown', () => {
  const filter = new StopStrings(['\nQuestion:']);
  expect(filter.push('three')).toEqual({ text: 'three', stopped: false });
  expect(filter.push('\nQue')).toEqual({ text: '', stopped: false });
  expect(filter.push('stion: and')).toEqual({ text: '', stopped: true });
  expect(filter.found).toBe('\nQuestion:');
  expect(filter.push('more')).toEqual({ text: '', stopped: true });
  expect(filter.flush()).toBe('');
});

test('text that only begins like a stop string is emitted', () => {
  const filter = new StopStrings(['\nQuestion:']);
  expect(filter.push('a\nQue').text).toBe('a');
  expect(filter.push('ue').text).toBe('\nQueue');
  expect(filter.push('\nQ').text).toBe('');
  expect(filter.flush()).toBe('\nQ');
  expect(filter.found).toBeNull();
});

test('only text that may begin a stop string is held back', () => {
  const filter = new StopStrings(['aab', '停止']);
  expect(filter.push('xaaa')).toEqual({ text: 'xa', stopped: false });
  expect(filter.push('b')).toEqual({ text: '', stopped: true });
  expect(run(['停止'], ['图停', '下停', '止了'])).toEqual({ text: '图停下', found: '停止' });
});

test('the stop string that is complete first ends the text; of two with the same end, the longer one', () => {
  expect(run(['abcd', 'bc'], ['xabcd'])).toEqual({ text: 'xa', found: 'bc' });
  expect(run(['c', 'abc'], ['xabc'])).toEqual({ text: 'x', found: 'abc' });
});

test('without stop strings all text is emitted at once', () => {
  expect(new StopStrings([]).push('text ')).toEqual({ text: 'text ', stopped: false });
});

test('an empty stop string is refused, with its number', () => {
  try {
    new StopStrings(['a', '']);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(CogVLM2Error);
    expect(error).toMatchObject({ code: 'invalid_value', message: expect.stringContaining('2 of 2') });
  }
});

test('the result does not depend on the boundaries of pieces', () => {
  const next = seeded(4);
  const word = (longest: number) => Array.from({ length: 1 + next(longest) }, () => 'ab '[next(3)]).join('');
  for (let round = 0; round < 5000; round++) {
    const stops = Array.from({ length: next(4) }, () => word(4));
    const pieces = Array.from({ length: next(8) }, () => word(5));
    const whole = pieces.join('');
    let wanted = { text: whole, found: null as string | null };
    for (let end = 1; end <= whole.length && wanted.found === null; end++) {
      const ending = stops.filter((stop) => whole.slice(0, end).endsWith(stop));
      const found = ending.sort((a, b) => b.length - a.length)[0];
      if (found !== undefined) wanted = { text: whole.slice(0, end - found.length), found };
    }
    expect(run(stops, pieces)).toEqual(wanted);
  }
});
