import { needsCheck, shownValue } from '../../batch/cells.ts';
import { usableColumns } from '../../batch/plan.ts';
import { neighbour } from '../../batch/rows.ts';
import { type Batch, type Cell, type Column, type Row, rowName } from '../../batch/types.ts';
import { correct, openBatch } from '../../state/batches.ts';
import { onShownImage } from '../../state/images.ts';
import { useApp, useText } from '../../state/state.ts';
import { mark, unmark } from '../document/marks.tsx';
import { IconButton } from '../icon-button.tsx';
import { Icon } from '../icons.tsx';
import { stageText } from '../progress.tsx';

/** The values of one page, to check and to correct next to its image. */
export function PageForm({ batch, row }: { batch: Batch; row: Row }) {
  const text = useText();
  const running = useApp(({ batchRuns }) => batchRuns[batch.id]?.rows[row.id]);
  const [before, after] = [neighbour(batch, row.id, -1), neighbour(batch, row.id, 1)];
  const columns = usableColumns(batch.plan);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the fields in it.
    <div class="page-form" onKeyDown={(event) => turnPage(event, batch.id, event.shiftKey ? before : after)}>
      <div class="page-form-top">
        <button type="button" class="plain" onClick={() => openBatch(batch.id)}>
          <Icon name="table" /> {text.batch.backToTable}
        </button>
        <span class="page-form-name small muted" dir="auto">
          {rowName(row)}
        </span>
        <IconButton
          icon="left"
          label={text.batch.previousPage}
          disabled={!before}
          onClick={() => before && openBatch(batch.id, before.id)}
        />
        <IconButton
          icon="right"
          label={text.batch.nextPage}
          disabled={!after}
          onClick={() => after && openBatch(batch.id, after.id)}
        />
      </div>
      {row.failure && (
        <p class="small wrong" role="alert">
          {text.failures[row.failure.code] ?? row.failure.message}
        </p>
      )}
      {running && <p class="small muted">{stageText(running, text)}</p>}
      {columns.map((column) => (
        <CellField
          key={column.id}
          batchId={batch.id}
          rowId={row.id}
          imageId={row.imageId}
          column={column}
          cell={row.cells[column.id]}
        />
      ))}
    </div>
  );
}

/** Ctrl + Enter goes to the same field of the next page, Ctrl + Shift + Enter to the same field of the previous page. */
function turnPage(event: KeyboardEvent, batchId: string, to: Row | undefined): void {
  const field = event.target;
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
  if (!to || !(field instanceof HTMLTextAreaElement)) return;
  event.preventDefault();
  const fields = () => [...document.querySelectorAll<HTMLTextAreaElement>('.page-form textarea')];
  const index = fields().indexOf(field);
  // Leaving the field keeps a correction.
  field.blur();
  openBatch(batchId, to.id);
  requestAnimationFrame(() => fields()[index]?.focus());
}

/** While it has the pointer or the focus, the image shows where its value was read. */
function CellField(props: {
  batchId: string;
  rowId: string;
  imageId: string | null;
  column: Column;
  cell: Cell | undefined;
}) {
  const { batchId, rowId, imageId, column, cell } = props;
  const text = useText();
  const read = cell?.text ?? '';
  const markCell = () => mark(onShownImage(cell?.evidence ?? [], imageId, null));
  const isCorrected = cell?.correction != null;
  const noteId = `note-${column.id}`;
  return (
    <label class="cell-field" onPointerEnter={markCell} onPointerLeave={unmark}>
      <span class="cell-label" dir="auto">
        {column.name}
      </span>
      <textarea
        dir="auto"
        rows={1}
        value={shownValue(cell)}
        // Without it, the name of the field would contain the note below.
        aria-label={column.name}
        placeholder={cell ? '' : text.batch.notRead}
        aria-describedby={noteId}
        onFocus={markCell}
        onBlur={unmark}
        onChange={({ currentTarget: { value } }) =>
          correct(batchId, rowId, column.id, value === read ? null : value)
        }
      />
      <span class="small muted" id={noteId}>
        {isCorrected && (
          <>
            {text.batch.modelRead(read)}{' '}
            <button type="button" class="link" onClick={() => correct(batchId, rowId, column.id, null)}>
              {text.undo}
            </button>
          </>
        )}
        {needsCheck(cell) && text.batch.doubtful}
      </span>
    </label>
  );
}
