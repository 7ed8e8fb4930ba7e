/** Colours for a stream: only on a terminal, and never when NO_COLOR is set (https://no-color.org). */
import * as yoctocolors from 'yoctocolors';
import type { OutputStream, Terminal } from './terminal.ts';

export interface Colors {
  bold(text: string): string;
  dim(text: string): string;
  cyan(text: string): string;
  red(text: string): string;
}

const plain = (text: string) => text;

export function colorsFor(stream: OutputStream, env: Terminal['env']): Colors {
  if (stream.isTTY !== true || env.NO_COLOR) return { bold: plain, dim: plain, cyan: plain, red: plain };
  return yoctocolors;
}
