/** The settings of `/set`: the same options as the flags, checked by the same schema. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { nearest } from '../../messages.ts';
import { type Flag, flagsOf, parseValue } from '../flags.ts';
import { type AnswerOptions, answerOptions, outputOptions } from '../options.ts';

const settingsSchema = z.object({ ...answerOptions, verbose: outputOptions.verbose });
const flags = flagsOf(settingsSchema);

export type ChatSettings = AnswerOptions & { verbose: boolean };

/** The names of the flags without dashes: `temperature`, `max-tokens`. */
const settingNames: readonly string[] = flags.map(settingName);

/** The settings with one value changed. `default` resets it. */
export function changeSetting(settings: ChatSettings, name: string, text: string): ChatSettings {
  const flag = flags.find((candidate) => settingName(candidate) === name.replace(/^--/, ''));
  if (flag === undefined) {
    const near = nearest(name, settingNames);
    const hint = near === undefined ? `there are ${settingNames.join(', ')}` : `did you mean ${near}?`;
    throw new CogVLM2Error('invalid_value', `There is no setting ${name} (${hint}).`);
  }
  const value = text === 'default' ? flag.defaultValue : parseValue(settingsSchema, flag, text, name);
  return { ...settings, [flag.key]: value };
}

/** Name and value of each setting. */
export function listSettings(settings: ChatSettings): string[][] {
  return flags.map((flag) => [settingName(flag), valueText(settings[flag.key as keyof ChatSettings])]);
}

function settingName(flag: Flag): string {
  return flag.name.replace(/^--/, '');
}

function valueText(value: unknown): string {
  if (value === undefined) return 'default';
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
