/** Polls the state of the server, so that the page recovers when the server does. */
import { ApiError, type Connection, request } from './connection.ts';
import { readServerInfo, type ServerInfo } from './server-info.ts';

export type ServerStatus =
  | { kind: 'connecting' }
  /** `progress`: from 0 to 1, if the server reports it. */
  | { kind: 'loading'; progress: number | null }
  | { kind: 'gone' }
  | { kind: 'locked' }
  | { kind: 'ready'; info: ServerInfo };

const READY_MS = 10_000;
const WAITING_MS = 1_500;
const LONGEST_LOOK_MS = 8_000;

/** Calls `tell` with each change. */
export class ServerWatch {
  readonly #connection: () => Connection;
  readonly #tell: (status: ServerStatus) => void;
  #status: ServerStatus = { kind: 'connecting' };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking: AbortController | null = null;

  constructor(connection: () => Connection, tell: (status: ServerStatus) => void) {
    this.#connection = connection;
    this.#tell = tell;
  }

  /** Checks now and then periodically. `afresh` also reads the server's properties again. */
  async check(afresh = false): Promise<void> {
    clearTimeout(this.#timer);
    this.#checking?.abort();
    const checking = new AbortController();
    this.#checking = checking;
    const tooLong = setTimeout(() => checking.abort(), LONGEST_LOOK_MS);
    const next = await this.#look(afresh, checking.signal);
    clearTimeout(tooLong);
    if (this.#checking !== checking) return;
    if (JSON.stringify(next) !== JSON.stringify(this.#status)) {
      this.#status = next;
      this.#tell(next);
    }
    this.#timer = setTimeout(() => this.check(), next.kind === 'ready' ? READY_MS : WAITING_MS);
  }

  async #look(afresh: boolean, signal: AbortSignal): Promise<ServerStatus> {
    try {
      await request({ apiKey: '' }, '/health', { signal });
      if (this.#status.kind === 'ready' && !afresh) return this.#status;
      return { kind: 'ready', info: await readServerInfo(this.#connection(), signal) };
    } catch (error) {
      if (!(error instanceof ApiError)) return { kind: 'gone' };
      if (error.status === 401) return { kind: 'locked' };
      if (error.status === 503) return { kind: 'loading', progress: error.progress };
      return { kind: 'gone' };
    }
  }
}
