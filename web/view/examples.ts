/** The example pictures, and the questions about them, by the keys of the texts. */
import chart from '../../examples/pictures/bar-chart.png';
import form from '../../examples/pictures/form.png';
import receipt from '../../examples/pictures/receipt.png';
import receiptZh from '../../examples/pictures/receipt-zh.png';
import type { Text } from '../language/en.ts';

export interface Example {
  name: string;
  question: string;
  /** WebP, as a data URL for an `img`. */
  url: string;
  blob: () => Blob;
}

export function examplesIn(text: Text): Example[] {
  return [
    example('receipt', text.examples.receipt, text.code === 'en' ? receipt : receiptZh),
    example('bar-chart', text.examples.chart, chart),
    example('form', text.examples.form, form),
  ];
}

function example(name: string, question: string, base64: string): Example {
  return {
    name: `${name}.webp`,
    question,
    url: `data:image/webp;base64,${base64}`,
    blob: () =>
      new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))], { type: 'image/webp' }),
  };
}
