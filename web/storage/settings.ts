/** The user's settings, in the browser's local storage. */
import { isRecord, recordAt, textAt } from '../api/json.ts';
import { SAMPLING_FIELDS, type Sampling, samplingValue } from '../api/sampling.ts';
import { readItem, writeItem } from './items.ts';

export const LANGUAGES = ['auto', 'en', 'zh'] as const;
export const THEMES = ['auto', 'light', 'dark'] as const;

export interface Settings {
  language: (typeof LANGUAGES)[number];
  theme: (typeof THEMES)[number];
  apiKey: string;
  sampling: Sampling;
  /** Shows tokens, speeds and context use, for users who tune the server. */
  showsDetails: boolean;
  /** Shows the list of conversations, if the window is wide enough. */
  showsSidebar: boolean;
  /** Whether to mark on the image where answers were read; null: only with the demo model. */
  showsEvidence: boolean | null;
  /** Whether the browser shows a notification when long work ends. */
  notifies: boolean;
}

const KEY = 'cogvlm2-settings';

export function readSettings(): Settings {
  const item = readItem(KEY);
  const stored = isRecord(item) ? item : {};
  const sampling = recordAt(stored, 'sampling');
  const known = SAMPLING_FIELDS.map((field) => [
    field.name,
    samplingValue(field, String(sampling[field.name] ?? '')),
  ]);
  return {
    language: LANGUAGES.find((each) => each === stored.language) ?? 'auto',
    theme: THEMES.find((each) => each === stored.theme) ?? 'auto',
    apiKey: textAt(stored, 'apiKey') ?? '',
    sampling: Object.fromEntries(known.filter(([, value]) => typeof value === 'number')),
    showsDetails: stored.showsDetails === true,
    showsSidebar: stored.showsSidebar !== false,
    showsEvidence: typeof stored.showsEvidence === 'boolean' ? stored.showsEvidence : null,
    notifies: stored.notifies === true,
  };
}

export function writeSettings(settings: Settings): void {
  writeItem(KEY, settings);
}
