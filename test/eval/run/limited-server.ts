/** A real HTTP server with the limits and faults of public servers: rates, sizes of images, policies, proxies, bad networks. */
import type { ServerResponse } from 'node:http';
import sharp from 'sharp';
import { type ChatRequest, listen, promptOf, requestOf } from '../chat-server.ts';

export interface Fault {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  /** Closes the connection: before an answer, or within its body. */
  readonly reset?: 'at once' | 'in the body';
  readonly delayMs?: number;
}

export interface Limits {
  /** Number of requests that are accepted per period. Others get status 429 and `Retry-After` in this form. */
  readonly rate?: { readonly requests: number; readonly periodMs: number; readonly form: 'seconds' | 'date' };
  /** An image with more bytes gets status 413. */
  readonly maxImageBytes?: number;
  /** An image with a longer side gets status 400. */
  readonly maxImageSide?: number;
  /** A fault instead of the answer; undefined for the answer, which is "answer N" to "question N". */
  readonly fault?: (prompt: string, request: number) => Fault | undefined;
}

export interface Arrival {
  readonly atMs: number;
  readonly prompt: string;
  status: number;
  readonly image: { bytes: number; width: number; height: number; format: string } | undefined;
}

export interface LimitedServer extends AsyncDisposable {
  readonly url: string;
  readonly arrivals: Arrival[];
}

export async function limitedServer(limits: Limits): Promise<LimitedServer> {
  const arrivals: Arrival[] = [];
  const server = await listen(async (incoming, outgoing) => {
    const request = await requestOf(incoming);
    const prompt = promptOf(request);
    const arrival: Arrival = {
      atMs: performance.now(),
      prompt,
      status: 200,
      image: await imageOf(request),
    };
    arrivals.push(arrival);
    const fault = limitFault(limits, arrival, arrivals) ?? limits.fault?.(prompt, arrivals.length);
    arrival.status = fault?.status ?? 200;
    await send(outgoing, fault ?? {}, `answer ${/question (\d+)/.exec(prompt)?.[1] ?? ''}`);
  });
  return { ...server, arrivals };
}

export function completion(message: Record<string, unknown>, finishReason = 'stop') {
  return { choices: [{ message: { role: 'assistant', ...message }, finish_reason: finishReason }] };
}

async function imageOf({ messages }: ChatRequest): Promise<Arrival['image']> {
  const content = messages[0]!.content;
  const url =
    typeof content === 'string' ? undefined : content.find((part) => part.image_url)?.image_url?.url;
  if (url === undefined) return undefined;
  const bytes = Buffer.from(url.slice(url.indexOf(',') + 1), 'base64');
  const { width, height, format } = await sharp(bytes).metadata();
  return { bytes: bytes.byteLength, width, height, format };
}

function limitFault(
  { rate, maxImageBytes = Infinity, maxImageSide = Infinity }: Limits,
  { atMs, image }: Arrival,
  arrivals: readonly Arrival[],
): Fault | undefined {
  if (rate !== undefined) {
    const accepted = arrivals.filter((other) => other.status === 200 && other.atMs > atMs - rate.periodMs);
    if (accepted.length > rate.requests) return tooMany(rate.form, rate.periodMs / 1000);
  }
  if (image === undefined) return undefined;
  if (image.bytes > maxImageBytes) return { status: 413, body: { error: { message: 'Request too large' } } };
  if (Math.max(image.width, image.height) > maxImageSide)
    return { status: 400, body: { error: { message: 'At least one image dimension exceeds the maximum' } } };
  return undefined;
}

/** The clock of this server is a day behind. */
const clockMs = () => Date.now() - 86_400_000;

export function tooMany(form: 'seconds' | 'date', seconds: number): Fault {
  const now = Math.floor(clockMs() / 1000) * 1000;
  return {
    status: 429,
    headers: {
      date: new Date(now).toUTCString(),
      'retry-after': form === 'seconds' ? String(seconds) : new Date(now + seconds * 1000).toUTCString(),
    },
    body: { error: { code: 'rate_limit_exceeded', message: 'Too many requests' } },
  };
}

async function send(outgoing: ServerResponse, fault: Fault, answer: string): Promise<void> {
  const { status = 200, headers = {}, body = completion({ content: answer }), reset, delayMs = 0 } = fault;
  if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (reset === 'at once') {
    outgoing.socket?.resetAndDestroy();
    return;
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  outgoing.writeHead(status, headers);
  if (reset === undefined) {
    outgoing.end(text);
    return;
  }
  outgoing.write(text.slice(0, text.length / 2), () => outgoing.socket?.resetAndDestroy());
}
