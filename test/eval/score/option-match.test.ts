/** What the expression of the reference for "answer is B" matches. The case files have only one such case. */
import { describe, expect, test } from 'vitest';
import { matchOption } from '../../../src/eval/score/option-match.ts';

/** No other rule matches: the letter is too far from the end, and the answer is too long for the search of option texts. */
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
    // The letter needs no word boundary after it, so the article "a" matches.
    ['The answer is a rabbit', 'A'],
    ['The answer is clear', 'C'],
    // Only white space, then stars, may be between "is" and the letter.
    ['The answer is (B)', undefined],
    ['The answer is: B', undefined],
    ['The answer is ** B **', undefined],
    ['The answer is "B"', undefined],
    ['The answer is option B', undefined],
    ['The answer: B', undefined],
    ['The answer is*B*', undefined],
    // Only the first match counts, and only if it is an option.
    ['The answer is E, no, the answer is B', 'B'],
    ['The answer is \uff22', undefined],
  ])('%j followed by more text is %s', (said, expected) => {
    expect(matchOption(`${said}${tail}`, choices, 'vlmevalkit')).toBe(expected);
  });

  test('a letter that is not an option is ignored', () => {
    const two = new Map([...choices].slice(0, 2));
    expect(matchOption(`The answer is **D**, not A${tail}`, two, 'vlmevalkit')).toBeUndefined();
  });
});
