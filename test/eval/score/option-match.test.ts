/** What the reference's expression for "answer is B" takes and what it does not; the case files have one of these. */
import { describe, expect, test } from 'vitest';
import { matchOption } from '../../../src/eval/score/option-match.ts';

/** Every other rule stays silent: the letter is too far from the end, the answer too long for its words to be looked for. */
describe('"answer is B", since June 2026', () => {
  const choices = new Map([
    ['A', 'teddy bear'],
    ['B', 'rabbit'],
    ['C', 'cat'],
    ['D', 'dog'],
  ]);
  const tail = ' because one can see its ears and also because of its round tail';
  test.each([
    ['The answer is **B**', 'B'],
    ['The correct answer is **B.**', 'B'],
    ['**The answer is B**', 'B'],
    ['The answer is ***B***', 'B'],
    ['The ANSWER\n is  B,', 'B'],
    ['The answer is b', 'B'],
    ['The answer is B. rabbit', 'B'],
    ['Both A and B may do, but the answer is **B**', 'B'],
    // The letter needs no end, so that the article is one.
    ['The answer is a rabbit', 'A'],
    ['The answer is clear', 'C'],
    // Between "is" and the letter may be white space, then stars, and nothing else.
    ['The answer is (B)', undefined],
    ['The answer is: B', undefined],
    ['The answer is ** B **', undefined],
    ['The answer is "B"', undefined],
    ['The answer is option B', undefined],
    ['The answer: B', undefined],
    ['The answer is*B*', undefined],
    // Only the first counts, and none that is no option.
    ['The answer is E, no, the answer is B', 'B'],
    ['The answer is \uff22', undefined],
  ])('%j with more behind it is %s', (said, expected) => {
    expect(matchOption(`${said}${tail}`, choices, 'vlmevalkit')).toBe(expected);
  });

  test('a letter that is no option decides nothing', () => {
    const two = new Map([...choices].slice(0, 2));
    expect(matchOption(`The answer is **D**, not A${tail}`, two, 'vlmevalkit')).toBeUndefined();
  });
});
