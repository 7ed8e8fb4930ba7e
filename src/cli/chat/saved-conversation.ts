/** The file that `/save` writes and `/load` reads. */
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/atomic-file.ts';
import { readJsonFile } from '../../files/json.ts';

const savedConversation = z.object({
  format: z.literal('cogvlm2-conversation'),
  version: z.literal(1),
  /** For information: a conversation may continue with another model. */
  model: z.string(),
  /** Absolute path or data URL; null without an image. */
  picture: z.string().nullable(),
  turns: z.array(z.object({ question: z.string(), answer: z.string() })),
});

export type SavedConversation = z.output<typeof savedConversation>;

/** @throws CogVLM2Error write_failed */
export async function saveConversation(
  path: string,
  conversation: Omit<SavedConversation, 'format' | 'version'>,
): Promise<void> {
  const saved: SavedConversation = { format: 'cogvlm2-conversation', version: 1, ...conversation };
  writeFileWhole(path, `${JSON.stringify(saved, null, 2)}\n`);
}

/** @throws CogVLM2Error file_not_found, invalid_value */
export async function readConversation(path: string): Promise<SavedConversation> {
  const { data, error } = savedConversation.safeParse(readJsonFile(path));
  if (data !== undefined) return data;
  throw new CogVLM2Error('invalid_value', `${path} was not written by /save.`, { cause: error });
}
