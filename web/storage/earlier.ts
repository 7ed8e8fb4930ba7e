/** Renames fields in data that versions up to 0.3 stored or exported: `pictureId` becomes `imageId`. Pure. */
import { isRecord, type Json } from '../api/json.ts';

/** A turn, a row or a draft. */
export function withImageId(value: Json): Json {
  if (value.pictureId === undefined) return value;
  const { pictureId, ...rest } = value;
  return { ...rest, imageId: pictureId };
}

/** A conversation with its turns, or a batch with its rows. */
export function withImageIds(value: unknown, list: 'turns' | 'rows'): unknown {
  if (!isRecord(value)) return value;
  const entries = value[list];
  if (!Array.isArray(entries)) return value;
  return {
    ...value,
    [list]: entries.map((entry: unknown) => (isRecord(entry) ? withImageId(entry) : entry)),
  };
}
