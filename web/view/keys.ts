/** The part of a key event that decides. */
export interface KeyPress {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  isComposing: boolean;
  keyCode: number;
}

/**
 * Enter sends, except while an input method is composing: there it takes a word, and Safari says so only by key
 * code 229. On a touch screen Enter is a new line, as there is no Shift at hand.
 */
export function isSendKey(event: KeyPress, isTouch = matchMedia('(pointer: coarse)').matches): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return false;
  return !isTouch || event.ctrlKey || event.metaKey;
}
