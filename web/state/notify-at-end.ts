/** Tells the end of long work to a person who is in another tab or program. */
import { state } from './state.ts';

/** Work that is shorter than this ends before somebody looks away. */
export const LONG_MS = 10_000;

/** Asks the browser for permission, at a person's click. @returns whether it was given */
export async function allowNotifications(): Promise<boolean> {
  if (!('Notification' in window)) return false;
  return (await Notification.requestPermission()) === 'granted';
}

export function canNotify(): boolean {
  return 'Notification' in window && Notification.permission === 'granted';
}

export function notifyAtEnd(title: string, text: string): void {
  if (document.visibilityState === 'visible' || !state.value.settings.notifies || !canNotify()) return;
  const notification = new Notification(title, { body: text, tag: 'cogvlm2' });
  notification.onclick = () => {
    focus();
    notification.close();
  };
}
