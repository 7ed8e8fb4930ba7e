import type { Settings } from '../storage/settings.ts';
import { en, type Text } from './en.ts';
import { zh } from './zh.ts';

/** The chosen language; otherwise the browser's first language that the page has; otherwise English. */
export function textFor(choice: Settings['language'], browserLanguages: readonly string[]): Text {
  const wanted = choice === 'auto' ? browserLanguages : [choice];
  const spoken = wanted.map((language) => language.toLowerCase().split('-')[0]);
  return spoken.find((language) => language === 'zh' || language === 'en') === 'zh' ? zh : en;
}
