/** Imports an exported file completely or not at all. The file is untrusted, so every part is checked. */
import { blobOf } from '../api/base64.ts';
import { isRecord, type Json } from '../api/json.ts';
import { evidenceOf } from '../document/evidence.ts';
import { isPlace } from '../document/place.ts';
import { withImageId } from '../storage/earlier.ts';
import { FORMAT, VERSION } from './export-file.ts';
import type { Answer, AnswerState, Clip, Conversation, Rotation, StoredImage, Turn } from './types.ts';

export type ImportProblem = 'notJson' | 'notOurs' | 'newer' | 'broken';

export class ImportError extends Error {
  readonly problem: ImportProblem;
  /** For `broken`: the place, as in `conversations[2].turns[0]`. */
  readonly where: string;

  constructor(problem: ImportProblem, where = '') {
    super(`${problem} ${where}`);
    this.problem = problem;
    this.where = where;
  }
}

export interface Imported {
  conversations: Conversation[];
  images: StoredImage[];
}

/** @throws ImportError */
export function parseExport(text: string): Imported {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch {
    throw new ImportError('notJson');
  }
  if (!isRecord(file) || file.format !== FORMAT) throw new ImportError('notOurs');
  if (typeof file.version === 'number' && file.version > VERSION) throw new ImportError('newer');
  const images = list(file, file.version === 1 ? 'pictures' : 'images', '', image);
  const known = new Set(images.map(({ id }) => id));
  return {
    images,
    conversations: list(file, 'conversations', '', (value, at) => conversation(value, at, known)),
  };
}

/** The new conversations. An existing conversation with other content is imported under a new id. */
export function mergeImport(
  imported: Imported,
  here: readonly Conversation[],
  newId: () => string,
): { added: Conversation[]; known: number } {
  const byId = new Map(here.map((each) => [each.id, each]));
  const added = imported.conversations.flatMap((each) => {
    const old = byId.get(each.id);
    if (!old) return [each];
    return hasSameTurns(old, each) ? [] : [{ ...each, id: newId() }];
  });
  return { added, known: imported.conversations.length - added.length };
}

function hasSameTurns(one: Conversation, other: Conversation): boolean {
  const text = ({ turns }: Conversation) =>
    JSON.stringify(turns.map(({ id, question, imageId, answer }) => [id, question, imageId, answer.text]));
  return text(one) === text(other);
}

/** Whether what was stored has the form that the page works with. Images may be missing. */
export function isConversation(value: unknown): value is Conversation {
  try {
    if (!isRecord(value)) return false;
    conversation(value, '', null);
    return true;
  } catch {
    return false;
  }
}

function conversation(value: Json, at: string, images: ReadonlySet<string> | null): Conversation {
  const turns = list(value, 'turns', at, turn);
  const ids = new Set<string>();
  for (const [index, { id, parentId, imageId }] of turns.entries()) {
    const where = `${at}.turns[${index}]`;
    // A parent comes before its children, so there are no circles.
    if (ids.has(id) || (parentId !== null && !ids.has(parentId))) throw new ImportError('broken', where);
    if (imageId !== null && images !== null && !images.has(imageId))
      throw new ImportError('broken', `${where}.imageId`);
    ids.add(id);
  }
  const chosen = field(value, 'chosen', at, isRecord);
  return {
    id: field(value, 'id', at, isText),
    title: optional(value, 'title', at, isText),
    createdAt: field(value, 'createdAt', at, isNumber),
    updatedAt: field(value, 'updatedAt', at, isNumber),
    turns,
    chosen: Object.fromEntries(
      Object.entries(chosen).filter((entry): entry is [string, string] => isText(entry[1])),
    ),
  };
}

function turn(value: Json, at: string): Turn {
  return {
    id: field(value, 'id', at, isText),
    parentId: field(value, 'parentId', at, orNull(isText)),
    createdAt: field(value, 'createdAt', at, isNumber),
    question: field(value, 'question', at, isText),
    imageId: field(withImageId(value), 'imageId', at, orNull(isText)),
    region: optional(value, 'region', at, isPlace),
    answer: answer(field(value, 'answer', at, isRecord), `${at}.answer`),
  };
}

function answer(value: Json, at: string): Answer {
  const usage = field(value, 'usage', at, orNull(isRecord));
  const speed = field(value, 'speed', at, orNull(isRecord));
  const failure = field(value, 'failure', at, orNull(isRecord));
  const state = field(value, 'state', at, isAnswerState);
  return {
    // A file has no answers in progress.
    state: state === 'running' ? 'interrupted' : state,
    text: field(value, 'text', at, isText),
    finishReason: field(value, 'finishReason', at, orNull(isText)),
    model: field(value, 'model', at, orNull(isText)),
    usage: usage && {
      promptTokens: field(usage, 'promptTokens', `${at}.usage`, isNumber),
      imageTokens: field(usage, 'imageTokens', `${at}.usage`, isNumber),
      completionTokens: field(usage, 'completionTokens', `${at}.usage`, isNumber),
    },
    speed: speed && {
      firstTokenMs: field(speed, 'firstTokenMs', `${at}.speed`, isNumber),
      tokensPerSecond: field(speed, 'tokensPerSecond', `${at}.speed`, orNull(isNumber)),
    },
    failure: failure && {
      code: field(failure, 'code', `${at}.failure`, isText),
      message: field(failure, 'message', `${at}.failure`, isText),
    },
    warning: field(value, 'warning', at, orNull(isText)),
    evidence: evidenceOf(value.evidence),
  };
}

function image(value: Json, at: string): StoredImage {
  const original = field(value, 'original', at, orNull(isRecord));
  return {
    id: field(value, 'id', at, isText),
    name: field(value, 'name', at, isText),
    width: field(value, 'width', at, isNumber),
    height: field(value, 'height', at, isNumber),
    thumbnail: field(value, 'thumbnail', at, isThumbnail),
    original: original && {
      width: field(original, 'width', `${at}.original`, isNumber),
      height: field(original, 'height', `${at}.original`, isNumber),
      sizeBytes: field(original, 'sizeBytes', `${at}.original`, isNumber),
      type: field(original, 'type', `${at}.original`, isText),
    },
    rotation: optional(value, 'rotation', at, isRotation),
    video: value.video == null ? null : clip(field(value, 'video', at, isRecord), `${at}.video`),
    blob: blob(field(value, 'data', at, isText), `${at}.data`, IMAGE_TYPE),
  };
}

function clip(value: Json, at: string): Clip {
  const file = field(value, 'file', at, orNull(isText));
  return {
    file: file === null ? null : blob(file, `${at}.file`, VIDEO_TYPE),
    frames: list(value, 'frames', at, (frame, place) => ({
      second: field(frame, 'second', place, isNumber),
      blob: blob(field(frame, 'data', place, isText), `${place}.data`, IMAGE_TYPE),
    })),
    durationSeconds: field(value, 'durationSeconds', at, orNull(isNumber)),
  };
}

const IMAGE_TYPE = /^image\/(?:png|jpeg|webp)$/;
const VIDEO_TYPE = /^video\/[\w.+-]+$/;

function blob(dataUrl: string, at: string, ofType: RegExp): Blob {
  const [, type = '', base64 = ''] = /^data:([^;,]+);base64,([A-Za-z0-9+/]+={0,2})$/.exec(dataUrl) ?? [];
  if (!ofType.test(type) || base64.length % 4 !== 0) throw new ImportError('broken', at);
  return blobOf(base64, type);
}

function list<T>(value: Json, key: string, at: string, read: (value: Json, at: string) => T): T[] {
  const path = at === '' ? key : `${at}.${key}`;
  return field(value, key, at, Array.isArray).map((entry: unknown, index) => {
    if (!isRecord(entry)) throw new ImportError('broken', `${path}[${index}]`);
    return read(entry, `${path}[${index}]`);
  });
}

function field<T>(value: Json, key: string, at: string, is: (value: unknown) => value is T): T {
  const found = value[key];
  if (!is(found)) throw new ImportError('broken', at === '' ? key : `${at}.${key}`);
  return found;
}

/** A field that is null in files of earlier versions, which lack it. */
function optional<T>(value: Json, key: string, at: string, is: (value: unknown) => value is T): T | null {
  return value[key] === undefined ? null : field(value, key, at, orNull(is));
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isAnswerState = (value: unknown): value is AnswerState =>
  ['running', 'done', 'stopped', 'interrupted', 'failed'].some((state) => state === value);
const isRotation = (value: unknown): value is Rotation =>
  isRecord(value) && isText(value.of) && [0, 1, 2, 3].some((turns) => turns === value.quarterTurns);
const isThumbnail = (value: unknown): value is string =>
  isText(value) && /^data:image\/(?:jpeg|png);base64,[A-Za-z0-9+/=]+$/.test(value);
const orNull =
  <T>(is: (value: unknown) => value is T) =>
  (value: unknown): value is T | null =>
    value === null || is(value);
