/**
 * A stream of server-sent events with a bound on what waits for a slow reader. Writing never waits: who does not read
 * is cut off, and the answer behind it stopped, before it holds much memory.
 */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Nothing happens once the reader has left. */
  send(data: object | '[DONE]'): void;
  close(): void;
}

export interface EventStreamOptions {
  maxBufferedBytes: number;
  pingMs: number;
  onLeft(): void;
  onSlow(): void;
}

export function eventStream({ maxBufferedBytes, pingMs, onLeft, onSlow }: EventStreamOptions): EventStream {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array>;
  let open = true;
  const end = () => {
    open = false;
    clearInterval(ping);
  };
  const write = (text: string) => {
    if (!open) return;
    controller.enqueue(encoder.encode(text));
    if ((controller.desiredSize ?? 0) >= 0) return;
    end();
    controller.error(new Error('The reader is too slow.'));
    onSlow();
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own;
      },
      cancel() {
        end();
        onLeft();
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: maxBufferedBytes }),
  );
  // A comment, which clients skip: proxies close what is silent for long.
  const ping = setInterval(() => write(': ping\n\n'), pingMs);
  return {
    body,
    send: (data) => write(`data: ${data === '[DONE]' ? data : JSON.stringify(data)}\n\n`),
    close() {
      if (!open) return;
      end();
      controller.close();
    },
  };
}

export const EVENT_STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};
