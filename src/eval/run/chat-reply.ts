/** What an OpenAI-compatible server answered to one request: an answer, a refusal, or a failure and what to do about it. */

import { z } from 'zod';

export interface Reply {
  /** Empty for a refusal. */
  readonly text: string;
  readonly finishReason: 'stop' | 'length' | 'refused';
  readonly completionTokens: number | null;
  /** For a refusal: the server's words, or its code. */
  readonly refusal?: string;
}

/** A failed attempt. `retry`: try again. `question`: give up this question. `run`: every question would fail. */
export interface Failed {
  readonly action: 'retry' | 'question' | 'run';
  readonly what: string;
  /** The server has too many requests or too much load. All requests wait. */
  readonly isBusy: boolean;
}

/** @param status 200 is a success */
export function readReply(status: number, body: string): Reply | Failed {
  const value = parsed(body);
  if (status !== 200) return refusalIn(status, value) ?? failureOf(status, body);
  const found = completionSchema.safeParse(value);
  if (found.success) return replyOf(found.data);
  const { code, message } = errorIn(value) ?? {};
  if (code !== undefined || message !== undefined) {
    // Gateways report the failure of a server behind them with status 200.
    const inner = Number.isInteger(Number(code)) && Number(code) >= 400 ? Number(code) : 500;
    return refusalIn(inner, value) ?? failureOf(inner, body);
  }
  // Some servers send this when they block a question.
  if (noChoicesSchema.safeParse(value).success)
    return { action: 'question', what: 'a chat completion without choices', isBusy: false };
  // A cut body is a network problem. A whole body that is no completion comes from another kind of server.
  const isCut = value === undefined && !isHtml(body);
  return { action: isCut ? 'retry' : 'run', what: `${quoted(body)} is not a chat completion`, isBusy: false };
}

const completionSchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({ content: z.string().nullish(), refusal: z.string().nullish() }).nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ completion_tokens: z.number().nullish() }).nullish(),
});

const noChoicesSchema = z.object({ choices: z.array(z.unknown()).length(0) });

const refusedReason = /content.?filter|refus|safety|prohibited|policy|blocklist/i;

function replyOf({ choices, usage }: z.infer<typeof completionSchema>): Reply {
  const { message, finish_reason: reason } = choices[0]!;
  const completionTokens = usage?.completion_tokens ?? null;
  if (message?.refusal || refusedReason.test(reason ?? '')) {
    const refusal = (message?.refusal || message?.content || reason || '').slice(0, 300);
    return { text: '', finishReason: 'refused', completionTokens, refusal };
  }
  return {
    text: message?.content ?? '',
    finishReason: reason === 'length' ? 'length' : 'stop',
    completionTokens,
  };
}

/** Codes of OpenAI, Azure, Alibaba Cloud and others for a question that a policy forbids. */
const policyCode =
  /content.?(?:filter|policy)|policy.?violation|data.?inspection|moderation|responsible.?ai|safety/i;

function refusalIn(status: number, body: unknown): Reply | undefined {
  const error = errorIn(body);
  if (error === undefined || status < 400 || status >= 500 || status === 401 || status === 429)
    return undefined;
  const codes = [error.code, error.type, error.innererror?.code].filter((code) => code != null).map(String);
  const isFlagged = Array.isArray(error.metadata?.reasons);
  if (!isFlagged && !codes.some((code) => policyCode.test(code))) return undefined;
  const refusal = (error.message || codes.join(', ')).slice(0, 300);
  return { text: '', finishReason: 'refused', completionTokens: null, refusal };
}

const errorSchema = z.object({
  code: z.union([z.string(), z.number()]).nullish(),
  type: z.string().nullish(),
  message: z.string().nullish(),
  innererror: z.object({ code: z.string().nullish() }).nullish(),
  metadata: z.object({ reasons: z.unknown() }).nullish(),
});

/** The error object of a body: under `error`, in a list of one (Gemini), or the body itself (Alibaba Cloud). */
function errorIn(body: unknown): z.infer<typeof errorSchema> | undefined {
  const value = Array.isArray(body) ? body[0] : body;
  if (typeof value !== 'object' || value === null) return undefined;
  const { data } = errorSchema.safeParse('error' in value ? value.error : value);
  return data;
}

/** Codes of failures that every question would get, although the status means another failure. */
const runCode =
  /insufficient_quota|billing|unsupported_(?:parameter|value)|unknown_parameter|model_not_found|invalid_api_key/i;

export function failureOf(status: number, body: string): Failed {
  const what = `status ${status}${body.trim() === '' ? '' : `, ${quoted(body)}`}`;
  const error = errorIn(parsed(body));
  const isBusy = status === 429 || status === 503 || status === 529;
  if ([error?.code, error?.type].some((code) => runCode.test(String(code)))) {
    return { action: 'run', what, isBusy: false };
  }
  if (status === 408 || status === 409 || status === 425 || status === 429 || status >= 500) {
    return { action: 'retry', what, isBusy };
  }
  return { action: [400, 413, 415, 422].includes(status) ? 'question' : 'run', what, isBusy };
}

/** The beginning of a body, for a message. For an HTML page, which a proxy may send, its title. */
function quoted(body: string): string {
  if (!isHtml(body)) return JSON.stringify(body.slice(0, 300));
  const title = /<title[^>]*>([^<]{1,200})/i.exec(body)?.[1]?.replace(/\s+/g, ' ').trim();
  return title ? `an HTML page with the title ${JSON.stringify(title)}` : 'an HTML page';
}

function isHtml(body: string): boolean {
  return /^\s*<(?:!doctype|html|head|body)/i.test(body);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
