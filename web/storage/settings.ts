/** A person's choices, in the browser's local storage. */
import { isRecord, type Json, recordAt, textAt } from '../api/json.ts';
import { SAMPLING_FIELDS, type Sampling, samplingValue } from '../api/sampling.ts';

export const LANGUAGES = ['auto', 'en', 'zh'] as const;
export const THEMES = ['auto', 'light', 'dark'] as const;

export interface Settings {
  language: (typeof LANGUAGES)[number];
  theme: (typeof THEMES)[number];
  apiKey: string;
  sampling: Sampling;
}

const KEY = 'cogvlm2-settings';

export function readSettings(): Settings {
  const stored = storedObject();
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
  };
}

export function writeSettings(settings: Settings): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Refused or full: the choice holds until the page is closed.
  }
}

function storedObject(): Json {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
