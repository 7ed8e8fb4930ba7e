/** The example images in the language of the page, with their questions. */
import books from '../../examples/receipts/books.png';
import booksZh from '../../examples/receipts/books-zh.png';
import cafe from '../../examples/receipts/cafe.png';
import cafeZh from '../../examples/receipts/cafe-zh.png';
import market from '../../examples/receipts/market.png';
import marketZh from '../../examples/receipts/market-zh.png';
import { blobOf } from '../api/base64.ts';
import type { Text } from '../language/en.ts';

export interface ExampleImage {
  name: string;
  /** WebP, as a data URL for an `img`. */
  url: string;
  file: () => File;
}

export interface Examples {
  /** Each has one question about one image. */
  questions: { question: string; image: ExampleImage }[];
  /** The images of the table. */
  table: ExampleImage[];
}

export function examplesIn(text: Text): Examples {
  const isEnglish = text.code === 'en';
  const [first, second, third] = isEnglish ? [cafe, market, books] : [cafeZh, marketZh, booksZh];
  const images = {
    cafe: image('cafe', first),
    market: image('market', second),
    books: image('books', third),
  };
  return {
    questions: [
      { question: text.examples.total, image: images.cafe },
      { question: text.examples.date, image: images.market },
    ],
    table: Object.values(images),
  };
}

function image(name: string, base64: string): ExampleImage {
  const type = 'image/webp';
  return {
    name: `${name}.webp`,
    url: `data:${type};base64,${base64}`,
    file: () => new File([blobOf(base64, type)], `${name}.webp`, { type }),
  };
}
