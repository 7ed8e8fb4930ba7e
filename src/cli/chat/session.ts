/**
 * The state of one `chat`: the conversation, its picture, its settings. Every change is made whole or not at all, so
 * whatever fails leaves the conversation as it was.
 */
import { resolve } from 'node:path';
import type { AnswerStream } from '../../generate/answer-stream.ts';
import type { CogVLM2 } from '../../generate/cogvlm2.ts';
import type { Conversation } from '../../generate/conversation.ts';
import type { Answer, Turn } from '../../generate/types.ts';
import type { ImageFile } from '../../image/image-file.ts';
import type { EncodedImage } from '../../model/encoded-image.ts';
import { generateOptions } from '../options.ts';
import { type Picture, pictureLabel } from '../picture.ts';
import type { ProgressReport } from '../progress.ts';
import { readConversation, saveConversation } from './saved-conversation.ts';
import type { ChatSettings } from './settings.ts';

/** Work that Ctrl-C may stop and that shows how far it is. */
export interface Attempt {
  signal: AbortSignal;
  progress: ProgressReport;
}

interface ShownPicture {
  /** As it can be opened again: absolute path or data URL. */
  source: string;
  encoded: EncodedImage;
}

export class ChatSession implements Disposable {
  settings: ChatSettings;
  lastAnswer: Answer | null = null;
  readonly model: CogVLM2;
  readonly #open: (source: string, signal: AbortSignal) => Promise<Picture>;
  #picture: ShownPicture | null = null;
  #conversation: Conversation;

  constructor(
    model: CogVLM2,
    settings: ChatSettings,
    open: (source: string, signal: AbortSignal) => Promise<Picture>,
  ) {
    this.model = model;
    this.settings = settings;
    this.#open = open;
    this.#conversation = model.chat();
  }

  get history(): readonly Turn[] {
    return this.#conversation.history;
  }

  /** What the picture is called, or null. */
  get picture(): string | null {
    return this.#picture === null ? null : pictureLabel(this.#picture.source);
  }

  get pictureSize(): string | null {
    const encoded = this.#picture?.encoded;
    return encoded === undefined
      ? null
      : `${encoded.width} x ${encoded.height}, ${encoded.imageTokens} image tokens`;
  }

  ask(question: string, signal: AbortSignal): AnswerStream {
    return this.#conversation.ask(question, generateOptions(this.settings, signal));
  }

  /** A new picture begins a new conversation: the model sees one picture at a time. */
  async showPicture(source: string, attempt: Attempt): Promise<void> {
    this.#replace(await this.#encode(source, attempt), []);
  }

  /** A picture that is read already; null for none. */
  async begin(picture: { source: string; image: ImageFile } | null, attempt: Attempt): Promise<void> {
    if (picture === null) return;
    this.#replace({ source: picture.source, encoded: await this.#encodeFile(picture.image, attempt) }, []);
  }

  /** Forgets the questions and answers; the picture stays. */
  clear(): void {
    this.#conversation.clear();
    this.lastAnswer = null;
  }

  async save(path: string): Promise<void> {
    const { history, model } = this;
    const turns = history.map(({ question, answer }) => ({ question, answer }));
    await saveConversation(path, { model: model.info.name, picture: this.#picture?.source ?? null, turns });
  }

  async load(path: string, attempt: Attempt): Promise<void> {
    const saved = await readConversation(path);
    this.#replace(saved.picture === null ? null : await this.#encode(saved.picture, attempt), saved.turns);
  }

  [Symbol.dispose](): void {
    this.#picture?.encoded.dispose();
  }

  async #encode(source: string, attempt: Attempt): Promise<ShownPicture> {
    const { image } = await this.#open(source, attempt.signal);
    const reopened = /^data:/i.test(source) ? source : resolve(source);
    return { source: reopened, encoded: await this.#encodeFile(image, attempt) };
  }

  async #encodeFile(image: ImageFile, { signal, progress }: Attempt): Promise<EncodedImage> {
    try {
      return await this.model.encodeImage(image, { signal, onProgress: progress.report });
    } finally {
      progress.clear();
    }
  }

  #replace(picture: ShownPicture | null, turns: readonly Turn[]): void {
    const conversation = this.model.chat(picture?.encoded ?? null, [...turns]);
    this.#picture?.encoded.dispose();
    this.#picture = picture;
    this.#conversation = conversation;
    this.lastAnswer = null;
  }
}
