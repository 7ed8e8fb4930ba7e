/** The fields of a key event that are used. */
export interface KeyPress {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  isComposing: boolean;
  keyCode: number;
}

/**
 * Enter sends, except during input method composition, where it confirms a word. Safari reports this only by key code 229. On a
 * touch screen Enter is a new line, because there is no Shift key.
 */
export function isSendKey(event: KeyPress, isTouch = matchMedia('(pointer: coarse)').matches): boolean {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return false;
  return !isTouch || event.ctrlKey || event.metaKey;
}
