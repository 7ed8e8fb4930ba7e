/**
 * Small values in the browser's local storage, written immediately. If the storage is full or not available, they are kept until
 * the page is closed.
 */
import { isRecord } from '../api/json.ts';
import type { Draft } from '../conversation/types.ts';
import { isPlace } from '../document/place.ts';
import { withImageId } from './earlier.ts';

export const DRAFTS = 'cogvlm2-drafts';

export function readItem(key: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

export function writeItem(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // As said above.
  }
}

export function removeItem(key: string): void {
  try {
    localStorage.removeItem(key);
  } catch {
    // As said above.
  }
}

export function readDrafts(): Record<string, Draft> {
  const stored = readItem(DRAFTS);
  const entries = isRecord(stored) ? Object.entries(stored) : [];
  return Object.fromEntries(
    entries.flatMap(([key, value]) => {
      const draft = draftOf(value);
      return draft ? [[key, draft]] : [];
    }),
  );
}

function draftOf(value: unknown): Draft | null {
  if (!isRecord(value) || typeof value.text !== 'string') return null;
  const { text } = value;
  const { imageId, region } = withImageId(value);
  return {
    text,
    imageId: typeof imageId === 'string' ? imageId : null,
    region: isPlace(region) ? region : null,
  };
}
