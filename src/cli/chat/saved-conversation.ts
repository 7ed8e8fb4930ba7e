/** A conversation as a file: what `/save` writes and `/load` reads. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { writeFileWhole } from '../../files/atomic-file.ts';

const savedConversation = z.object({
  format: z.literal('cogvlm2-conversation'),
  version: z.literal(1),
  /** For the reader only: a conversation may go on with another model. */
  model: z.string(),
  /** Absolute path or data URL; null without a picture. */
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
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : (code ?? String(error));
    throw new CogVLM2Error('file_not_found', `${path} cannot be read: ${why}.`, { cause: error });
  }
  try {
    return savedConversation.parse(JSON.parse(text));
  } catch (error) {
    throw new CogVLM2Error('invalid_value', `${path} is not a conversation that /save wrote.`, {
      cause: error,
    });
  }
}
