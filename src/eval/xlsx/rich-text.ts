/** The text of a string cell, which may stand in runs of several fonts; what says how it is read aloud is left out. */
export class RichText {
  #text = '';
  #inText = false;
  #aloud = 0;

  open(name: string): void {
    if (name === 'rPh') this.#aloud += 1;
    this.#inText = name === 't' && this.#aloud === 0;
  }

  add(text: string): void {
    if (this.#inText) this.#text += text;
  }

  close(name: string): void {
    if (name === 'rPh') this.#aloud -= 1;
    this.#inText = false;
  }

  /** What there is, and begins anew. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }
}
