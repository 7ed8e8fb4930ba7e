/** `--pages 1,3-5,8-`: which pages of every PDF. */
import { CogVLM2Error } from '../errors.ts';

interface Range {
  first: number;
  /** Infinity without an end. */
  last: number;
}

/** @throws CogVLM2Error invalid_value */
export function parsePages(text: string): (page: number) => boolean {
  const ranges = text.split(',').map((part): Range => {
    const [, first = '', dash, last = ''] = /^\s*(\d+)(-?)(\d*)\s*$/.exec(part) ?? [];
    const range = {
      first: Number(first),
      last: last === '' && dash === '-' ? Infinity : Number(last || first),
    };
    if (first === '' || range.first < 1 || range.last < range.first || (dash === '' && last !== '')) {
      throw new CogVLM2Error(
        'invalid_value',
        `--pages is ${JSON.stringify(text)}, but must be numbers and ranges from 1, such as 1,3-5 or 2-.`,
      );
    }
    return range;
  });
  return (page) => ranges.some(({ first, last }) => page >= first && page <= last);
}
