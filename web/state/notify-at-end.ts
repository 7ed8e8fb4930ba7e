/** Notifies a user in another tab or program that long work has ended. */
import { changeSettings } from './settings.ts';
import { state } from './state.ts';

/** Shorter work needs no notification. */
export const LONG_MS = 10_000;

/** Not in every browser, and only on `localhost` and over HTTPS. */
export const hasNotifications = 'Notification' in globalThis;

/** Turns notifications on after a click, if the user permits them. */
export async function turnOnNotifications(): Promise<void> {
  changeSettings({ notifies: (await Notification.requestPermission()) === 'granted' });
}

/** Whether they are turned on and the browser still permits them. */
export function willNotify({ settings } = state.value): boolean {
  return settings.notifies && hasNotifications && Notification.permission === 'granted';
}

export function notifyAtEnd(title: string, text: string): void {
  if (document.visibilityState === 'visible' || !willNotify()) return;
  const notification = new Notification(title, { body: text, tag: 'cogvlm2' });
  notification.onclick = () => {
    focus();
    notification.close();
  };
}
