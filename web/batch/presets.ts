/** Predefined sets of fields. The texts are in the languages (web/language); the hints are questions that small models know. */
import type { Text } from '../language/en.ts';
import type { Column, ColumnType } from './types.ts';

export const PRESETS = ['receipt', 'invoice', 'idCard'] as const;
export type Preset = (typeof PRESETS)[number];

const TYPES: Record<Preset, readonly ColumnType[]> = {
  receipt: ['text', 'text', 'number'],
  invoice: ['text', 'text', 'text', 'number', 'number'],
  idCard: ['text', 'text', 'text', 'text'],
};

export function presetColumns(preset: Preset, text: Text, newId: () => string): Column[] {
  return text.batch.presetFields[preset].map(([name, hint], index) => ({
    id: newId(),
    name,
    hint,
    type: TYPES[preset][index] ?? 'text',
    isRequired: true,
  }));
}
