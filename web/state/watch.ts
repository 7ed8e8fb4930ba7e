/** The server's state, for the views. */
import { ServerWatch } from '../api/server-watch.ts';
import { state } from './state.ts';

const watch = new ServerWatch(
  () => state.value.settings,
  (server) => state.set({ server, info: server.kind === 'ready' ? server.info : state.value.info }),
);

/** Looks after the server now; `afresh` after something changed that it may answer differently to. */
export function checkServer(afresh = false): void {
  void watch.check(afresh);
}
