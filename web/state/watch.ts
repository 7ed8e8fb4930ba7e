/** The server's state, for the views. */
import { ServerWatch } from '../api/server-watch.ts';
import { state } from './state.ts';

const watch = new ServerWatch(
  () => state.value.settings,
  (server) => state.set({ server, info: server.kind === 'ready' ? server.info : state.value.info }),
);

/** Checks the server now. Use `afresh` after a change that may change its response. */
export function checkServer(afresh = false): void {
  void watch.check(afresh);
}
