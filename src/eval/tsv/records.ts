/**
 * Rows of a TSV file as pandas cuts them: a cell that begins with a quote may hold tabs, line ends and doubled
 * quotes; a quote further on is a character like others. Chunk by chunk, so that a file is never held whole.
 */
export function* tsvRecords(chunks: Iterable<string>): Generator<string[]> {
  const reader = new RecordReader();
  for (const chunk of chunks) {
    for (const character of chunk) {
      const record = reader.read(character);
      if (record !== undefined) yield record;
    }
  }
  const last = reader.end();
  if (last !== undefined) yield last;
}

type Place = 'file start' | 'cell start' | 'cell' | 'quoted' | 'quote in quoted' | 'after return';

class RecordReader {
  #place: Place = 'file start';
  #cells: string[] = [];
  #cell = '';

  /** The record that this character ends, if it ends one. Empty lines are none. */
  read(character: string): string[] | undefined {
    if (this.#place === 'file start') {
      this.#place = 'cell start';
      if (character === '\ufeff') return undefined;
    }
    if (this.#place === 'after return') {
      this.#place = 'cell start';
      if (character === '\n') return undefined;
    }
    if (this.#place === 'quoted') {
      if (character === '"') this.#place = 'quote in quoted';
      else this.#cell += character;
      return undefined;
    }
    if (character === '"' && this.#place !== 'cell') {
      if (this.#place === 'quote in quoted') this.#cell += '"';
      this.#place = 'quoted';
      return undefined;
    }
    if (character === '\t') {
      this.#endCell();
      return undefined;
    }
    if (character === '\n' || character === '\r') {
      const record = this.#endRecord();
      this.#place = character === '\r' ? 'after return' : 'cell start';
      return record;
    }
    this.#place = 'cell';
    this.#cell += character;
    return undefined;
  }

  end(): string[] | undefined {
    return this.#endRecord();
  }

  #endCell(): void {
    this.#cells.push(this.#cell);
    this.#cell = '';
    this.#place = 'cell start';
  }

  #endRecord(): string[] | undefined {
    const empty = this.#cells.length === 0 && this.#cell === '' && this.#place !== 'quote in quoted';
    this.#endCell();
    const record = this.#cells;
    this.#cells = [];
    return empty ? undefined : record;
  }
}
