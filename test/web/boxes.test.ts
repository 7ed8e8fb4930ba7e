/** Boxes in the text of an answer. The page and the server find the same boxes. */
import { describe, expect, it } from 'vitest';
import { boxesIn as boxesOfServer } from '../../src/text/boxes.ts';
import { closeOpen } from '../../web/markdown/close-open.ts';
import { boxesIn } from '../../web/markdown/render.ts';

const place = (x: number, y: number, width: number, height: number) => ({
  x: expect.closeTo(x),
  y: expect.closeTo(y),
  width: expect.closeTo(width),
  height: expect.closeTo(height),
});

describe('boxes in an answer', () => {
  it('have their phrases and regions', () => {
    const text = 'There is a dog [[086,540,400,760]], **two cats** [[0,0,100,50;500,500,1000,1000]].';
    expect(boxesIn(text)).toEqual([
      { phrase: 'There is a dog', places: [place(0.086, 0.54, 0.314, 0.22)] },
      { phrase: 'two cats', places: [place(0, 0, 0.1, 0.05), place(0.5, 0.5, 0.5, 0.5)] },
    ]);
  });

  it('remain inside the image, in any order of their corners', () => {
    expect(boxesIn('[[900,900,1200,800]]')).toEqual([{ phrase: '', places: [place(0.9, 0.8, 0.1, 0.1)] }]);
  });

  it.each([
    'a dog [[1,2,3,4]] and a cat [[5,6,7,8]]',
    '一只狗[[001,002,300,400]]，还有一只猫 [[5,6,7,8; 9,10,11,12]]。',
    'None [[1,2,3]], [[a,b,c,d]], [1,2,3,4], [[]] and [[1,2,3,4',
    '- one [[1,2,3,4]]\n- two [[5,6,7,8]]\n\nThree: [[ 9, 10, 11, 12 ]]',
    '[[1,2,3,4;x;5,6,7,8]]',
    'At 12:30, the total of $1,234.50 [[1,2,3,4]], 5. A dog [[5,6,7,8]]',
    '| a | b |\n|---|---|\n| x [[1,2,3,4]] | y [[5,6,7,8]] |',
  ])('of %j equal those of the server', (text) => {
    const withoutListSigns = (phrase: string) => phrase.replace(/^(?:[-|] ?)+/, '');
    const ofPage = boxesIn(text).flatMap(({ phrase, places }) =>
      places.map(({ x, y, width, height }) => ({
        phrase: withoutListSigns(phrase),
        box: [x, y, x + width, y + height],
      })),
    );
    const ofServer = boxesOfServer(text).map(({ phrase, box }) => ({
      phrase: withoutListSigns(phrase),
      box: box.map((side) => expect.closeTo(side)),
    }));
    expect(ofPage).toEqual(ofServer);
  });

  it('are plain text in code', () => {
    expect(boxesIn('`[[1,2,3,4]]`\n\n```\n[[1,2,3,4]]\n```')).toEqual([]);
  });

  it.each([
    'a dog [[',
    'a dog [[08',
    'a dog [[086,540',
    'a dog [[086,540,400,760',
    'a dog [[086,540,400,760]',
  ])('that are not complete yet are held back: %j', (text) => {
    expect(closeOpen(text)).toBe('a dog ');
  });
});
