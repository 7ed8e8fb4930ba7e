/**
 * A refusal that leaves the body unread closes the connection while the client still sends: the client sees a reset
 * instead of the answer, and a proxy takes this server for dead. So the rest of the body is read and discarded first.
 */
import type { IncomingMessage } from 'node:http';
import type { App, AppParts } from '../app-parts.ts';
import { DISCARD_LIMITS } from '../limits.ts';

export function discardUnreadBodies(app: App, { bodyLimits }: AppParts): void {
  app.use(async (c, next) => {
    await next();
    const incoming = c.env?.incoming;
    if (incoming === undefined || c.res.status < 400 || incoming.readableEnded || incoming.destroyed) return;
    const whole = await discard(incoming, bodyLimits.maxBytes + DISCARD_LIMITS.extraBytes);
    if (!whole) c.header('connection', 'close');
  });
}

/** @returns whether the body came to its end within the limits */
function discard(incoming: IncomingMessage, maxBytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    let sizeBytes = 0;
    const finish = (whole: boolean) => {
      clearTimeout(timer);
      incoming.off('data', onData);
      incoming.off('end', onEnd);
      incoming.off('close', onClose);
      incoming.off('error', onClose);
      resolve(whole);
    };
    const onData = (chunk: Uint8Array) => {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes) finish(false);
    };
    const onEnd = () => finish(true);
    const onClose = () => finish(false);
    const timer = setTimeout(onClose, DISCARD_LIMITS.timeoutMs);
    // The stream that the handler began to read would pause it again and again.
    incoming.removeAllListeners('data');
    incoming.on('data', onData);
    incoming.on('end', onEnd);
    incoming.on('close', onClose);
    incoming.on('error', onClose);
    incoming.resume();
  });
}
