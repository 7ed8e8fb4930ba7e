import { needsCheck, shownValue } from '../../batch/cells.ts';
import { usableColumns } from '../../batch/plan.ts';
import { type Batch, type Column, type Row, rowName } from '../../batch/types.ts';
import type { Text } from '../../language/en.ts';
import { openBatch, removeRow } from '../../state/batches.ts';
import { onShownImage } from '../../state/images.ts';
import { useApp, useText } from '../../state/state.ts';
import { mark } from '../document/marks.tsx';
import { IconButton } from '../icon-button.tsx';
import { stageText } from '../progress.tsx';

export const TABLE_ID = 'table';

/** A row for each page. A cell opens its page. */
export function BatchTable({ batch }: { batch: Batch }) {
  const text = useText();
  const columns = usableColumns(batch.plan);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard.
    <section id={TABLE_ID} class="table-scroller" aria-label={text.batch.table} tabIndex={0}>
      <table class="batch-table">
        <thead>
          <tr>
            <th scope="col">{text.batch.page}</th>
            {columns.map(({ id, name, type }) => (
              <th scope="col" key={id} class={type === 'number' ? 'number' : ''} dir="auto">
                {name}
              </th>
            ))}
            <th scope="col">{text.batch.state}</th>
            <th scope="col">
              <span class="off-screen">{text.batch.actions}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {batch.rows.map((row) => (
            <BatchRow key={row.id} batchId={batch.id} row={row} columns={columns} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function BatchRow({ batchId, row, columns }: { batchId: string; row: Row; columns: readonly Column[] }) {
  const text = useText();
  const thumbnail = useApp(({ images }) => images[row.imageId ?? '']?.thumbnail);
  const open = (columnId: string | null) => {
    openBatch(batchId, row.id);
    const cell = columnId === null ? undefined : row.cells[columnId];
    if (cell) mark(onShownImage(cell.evidence, row.imageId, null));
  };
  return (
    <tr>
      <th scope="row">
        <button type="button" class="row-open" onClick={() => open(null)}>
          {thumbnail && <img src={thumbnail} alt="" loading="lazy" />}
          <span dir="auto">{rowName(row)}</span>
        </button>
      </th>
      {columns.map(({ id, name, type }) => {
        const cell = row.cells[id];
        const value = shownValue(cell);
        const isDoubtful = needsCheck(cell);
        return (
          <td key={id} class={type === 'number' ? 'number' : ''}>
            <button
              type="button"
              class={`cell ${isDoubtful ? 'doubtful' : ''}`}
              title={isDoubtful ? text.batch.doubtful : value}
              aria-label={`${name}: ${value === '' ? text.batch.empty : value}`}
              onClick={() => open(id)}
            >
              {value}
              {cell?.correction != null && <span class="corrected" title={text.batch.corrected} />}
            </button>
          </td>
        );
      })}
      <td>
        <RowState batchId={batchId} row={row} text={text} />
      </td>
      <td>
        <IconButton
          icon="trash"
          label={text.batch.removePage(rowName(row))}
          onClick={() => removeRow(batchId, row.id)}
        />
      </td>
    </tr>
  );
}

function RowState({ batchId, row, text }: { batchId: string; row: Row; text: Text }) {
  const running = useApp(({ batchRuns }) => batchRuns[batchId]?.rows[row.id]);
  if (row.failure) {
    const why = text.failures[row.failure.code] ?? row.failure.message;
    return (
      <span class="wrong small" title={row.failure.message}>
        {why}
      </span>
    );
  }
  const now = row.state === 'running' && running ? stageText(running, text) : text.batch.states[row.state];
  return <span class={`small state-${row.state}`}>{now}</span>;
}
