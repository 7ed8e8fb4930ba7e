/** What every reader of a data file gives: its rows, to go over all of them or to read some. */
import type { Row } from '../row.ts';

/** A row, or in words why it cannot be read. */
export type SourceRow = Row | string;

export interface RowSource extends AsyncDisposable {
  /** All rows in order, for finding out what there is: without pictures where that saves reading them. */
  scan(): AsyncIterable<SourceRow>;
  /** The rows at these places (from 0, rising), whole, one at a time. */
  read(places: readonly number[]): AsyncIterable<SourceRow>;
  /** The picture cell of the row with this index, which other rows may refer to. */
  pictureOf?(index: string): Promise<unknown>;
}
