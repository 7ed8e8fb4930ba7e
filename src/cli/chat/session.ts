/** The state of a `chat`: conversation, image, settings. A change that fails leaves the state unchanged. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { CogVLM2Error } from '../../errors.ts';
import { readJsonFile } from '../../files/json.ts';
import { writeFileWhole } from '../../files/writing.ts';
import type { AnswerStream } from '../../generate/answer-stream.ts';
import type { CogVLM2 } from '../../generate/cogvlm2.ts';
import type { Conversation } from '../../generate/conversation.ts';
import type { Answer, Turn } from '../../generate/types.ts';
import type { ImageFile } from '../../image/source.ts';
import { nearest } from '../../messages.ts';
import type { EncodedImage } from '../../model/encoded-image.ts';
import { withOldName } from '../../run/resume.ts';
import type { NamedImage } from '../ask-arguments.ts';
import { type Flag, flagsOf, parseValue } from '../flags.ts';
import { imageLabel } from '../format.ts';
import { type AnswerOptions, answerOptions, generateOptions, outputOptions } from '../options.ts';
import type { ProgressReport } from '../progress.ts';

/** Work with progress that Ctrl-C can stop. */
export interface Attempt {
  signal: AbortSignal;
  progress: ProgressReport;
}

interface LoadedImage {
  /** In a form that can be opened again: absolute path or data URL. */
  source: string;
  encoded: EncodedImage;
}

export class ChatSession implements Disposable {
  settings: ChatSettings;
  lastAnswer: Answer | null = null;
  readonly model: CogVLM2;
  readonly #open: (source: string, signal: AbortSignal) => Promise<NamedImage>;
  #image: LoadedImage | null = null;
  #conversation: Conversation;

  constructor(
    model: CogVLM2,
    settings: ChatSettings,
    open: (source: string, signal: AbortSignal) => Promise<NamedImage>,
  ) {
    this.model = model;
    this.settings = settings;
    this.#open = open;
    this.#conversation = model.chat();
  }

  get history(): readonly Turn[] {
    return this.#conversation.history;
  }

  /** The name of the image, or null. */
  get image(): string | null {
    return this.#image === null ? null : imageLabel(this.#image.source);
  }

  get imageSize(): string | null {
    const encoded = this.#image?.encoded;
    return encoded === undefined
      ? null
      : `${encoded.width} x ${encoded.height}, ${encoded.imageTokens} image tokens`;
  }

  ask(question: string, signal: AbortSignal): AnswerStream {
    return this.#conversation.ask(question, generateOptions(this.settings, signal));
  }

  /** Starts a new conversation, because the model sees one image at a time. */
  async loadImage(source: string, attempt: Attempt): Promise<void> {
    this.#replace(await this.#encode(source, attempt), []);
  }

  /** Starts with an image that is already read, or without one. */
  async begin(named: { source: string; image: ImageFile | string } | null, attempt: Attempt): Promise<void> {
    if (named === null) return;
    this.#replace({ source: named.source, encoded: await this.#encodeFile(named.image, attempt) }, []);
  }

  /** Starts a new conversation about the same image. */
  clear(): void {
    this.#conversation.clear();
    this.lastAnswer = null;
  }

  async save(path: string): Promise<void> {
    const { history, model } = this;
    const turns = history.map(({ question, answer }) => ({ question, answer }));
    await saveConversation(path, { model: model.info.name, image: this.#image?.source ?? null, turns });
  }

  async load(path: string, attempt: Attempt): Promise<void> {
    const saved = await readConversation(path);
    this.#replace(saved.image === null ? null : await this.#encode(saved.image, attempt), saved.turns);
  }

  [Symbol.dispose](): void {
    this.#image?.encoded.dispose();
  }

  async #encode(source: string, attempt: Attempt): Promise<LoadedImage> {
    const { image } = await this.#open(source, attempt.signal);
    const reopened = /^data:/i.test(source) ? source : resolve(source);
    return { source: reopened, encoded: await this.#encodeFile(image, attempt) };
  }

  async #encodeFile(image: ImageFile | string, { signal, progress }: Attempt): Promise<EncodedImage> {
    try {
      const { template } = this.settings;
      return await this.model.encodeImage(image, {
        ...(template && { template }),
        signal,
        onProgress: progress.report,
      });
    } finally {
      progress.clear();
    }
  }

  #replace(image: LoadedImage | null, turns: readonly Turn[]): void {
    const conversation = this.model.chat(image?.encoded ?? null, [...turns]);
    this.#image?.encoded.dispose();
    this.#image = image;
    this.#conversation = conversation;
    this.lastAnswer = null;
  }
}

// The settings of `/set`: the same options as the flags, checked by the same schema.

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

// The file that `/save` writes and `/load` reads.

const conversationSchema = z.object({
  format: z.literal('cogvlm2-conversation'),
  version: z.literal(1),
  /** For information: a conversation may continue with another model. */
  model: z.string(),
  /** Absolute path or data URL; null without an image. */
  image: z.string().nullable(),
  turns: z.array(z.object({ question: z.string(), answer: z.string() })),
});

const savedConversation = withOldName(conversationSchema, 'image', 'picture');

type SavedConversation = z.output<typeof savedConversation>;

/** @throws CogVLM2Error write_failed */
async function saveConversation(
  path: string,
  conversation: Omit<SavedConversation, 'format' | 'version'>,
): Promise<void> {
  const saved: SavedConversation = { format: 'cogvlm2-conversation', version: 1, ...conversation };
  writeFileWhole(path, `${JSON.stringify(saved, null, 2)}\n`);
}

/** @throws CogVLM2Error file_not_found, invalid_value */
async function readConversation(path: string): Promise<SavedConversation> {
  const { data, error } = savedConversation.safeParse(readJsonFile(path));
  if (data !== undefined) return data;
  throw new CogVLM2Error('invalid_value', `${path} was not written by /save.`, { cause: error });
}
