/**
 * A stream of server-sent events with a bounded buffer. Writing never waits. A client that reads too slowly is disconnected, and its
 * answer is stopped, before the buffer uses much memory.
 */
export interface EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Does nothing after the client disconnected. */
  send(events: readonly EventStreamEvent[]): void;
  close(): void;
}

export interface EventStreamEvent {
  /** The line `event:`, if there is one. */
  event?: string;
  data: object | '[DONE]';
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
  // Clients skip comments. Proxies close connections that are silent for long.
  const ping = setInterval(() => write(': ping\n\n'), pingMs);
  return {
    body,
    send(events) {
      for (const { event, data } of events) {
        const name = event === undefined ? '' : `event: ${event}\n`;
        write(`${name}data: ${data === '[DONE]' ? data : JSON.stringify(data)}\n\n`);
      }
    },
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
