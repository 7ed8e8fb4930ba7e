/** The properties of the server and its model, from /props and /v1/models. */
import { type Connection, requestJson } from './connection.ts';
import { isRecord, type Json, listAt, numberAt, recordAt, textAt } from './json.ts';
import { SAMPLING_FIELDS, type Sampling } from './sampling.ts';

export interface ServerInfo {
  model: string;
  /** Whether it is the small demo model of the package. */
  isDemo: boolean;
  contextTokens: number | null;
  /** Side of the square to which every image is resized, in pixels. */
  imageSize: number | null;
  imageTokens: number | null;
  /** Maximum bytes of a request. */
  bodyLimitBytes: number;
  /** Maximum pixels of an image. */
  pixelLimit: number;
  /** Maximum tokens of an answer. */
  answerLimitTokens: number | null;
  /** Null: the model sees images only. */
  video: { readsFiles: boolean; mostFrames: number } | null;
  /** Measured time of a question about a new image; null before the first one. */
  secondsPerImage: number | null;
  /** Number of answers that are generated at the same time. */
  slots: number;
  /** The server's defaults. */
  defaults: Sampling;
}

/** Used for a server that does not report them. */
export const USUAL_LIMITS = { bodyLimitBytes: 32 * 1024 * 1024, pixelLimit: 64_000_000 };

const USUAL_FRAMES = 24;

export async function readServerInfo(connection: Connection, signal: AbortSignal): Promise<ServerInfo> {
  const [props, models] = await Promise.all([
    requestJson(connection, '/props', { signal }),
    requestJson(connection, '/v1/models', { signal }),
  ]);
  return serverInfo(props, models);
}

export function serverInfo(props: Json, models: Json): ServerInfo {
  const first = listAt(models, 'data').find(isRecord) ?? {};
  const image = recordAt(props, 'image');
  const limits = recordAt(props, 'limits');
  return {
    model: textAt(props, 'model') ?? textAt(first, 'id') ?? 'default',
    isDemo: props.is_demo === true,
    contextTokens: numberAt(props, 'n_ctx'),
    imageSize: numberAt(image, 'size'),
    imageTokens: numberAt(image, 'tokens'),
    bodyLimitBytes: numberAt(limits, 'max_body_bytes') ?? USUAL_LIMITS.bodyLimitBytes,
    pixelLimit: numberAt(image, 'max_pixels') ?? USUAL_LIMITS.pixelLimit,
    answerLimitTokens: numberAt(limits, 'max_answer_tokens'),
    video: recordAt(props, 'modalities').video === true ? videoOf(recordAt(props, 'video')) : null,
    secondsPerImage: numberAt(recordAt(props, 'measured'), 'seconds_per_image'),
    slots: numberAt(props, 'total_slots') ?? 1,
    defaults: samplingOf(recordAt(props, 'default_generation_settings')),
  };
}

function videoOf(video: Json): ServerInfo['video'] {
  return { readsFiles: video.files === true, mostFrames: numberAt(video, 'max_frames') ?? USUAL_FRAMES };
}

function samplingOf(settings: Json): Sampling {
  const known = SAMPLING_FIELDS.map(({ name }) => [name, numberAt(settings, name)] as const);
  return Object.fromEntries(known.filter(([, value]) => value !== null));
}
