import { usableColumns } from '../../batch/plan.ts';
import { countStates } from '../../batch/rows.ts';
import type { Batch } from '../../batch/types.ts';
import { copyTable, saveCsv, saveJsonLines } from '../../state/batch-export.ts';
import { clearAnswers, renameBatch } from '../../state/batches.ts';
import { retryFailed, runBatch, stopBatch } from '../../state/run-batch.ts';
import { useApp, useText } from '../../state/state.ts';
import { Icon } from '../icons.tsx';
import { PickFiles } from '../pick-files.tsx';
import { BatchProgress } from './batch-progress.tsx';
import { BatchTable } from './batch-table.tsx';
import { PlanEditor } from './plan-editor.tsx';

/** A batch: its pages, its questions and the table of answers. */
export function BatchView({ batch }: { batch: Batch }) {
  const text = useText();
  return (
    <div class="batch">
      <div class="batch-top">
        <input
          class="batch-name"
          aria-label={text.batch.name}
          value={batch.name}
          onChange={({ currentTarget: { value } }) => renameBatch(batch.id, value)}
        />
        <PickFiles kind="add" />
      </div>
      <PlanEditor batch={batch} />
      <RunBar batch={batch} />
      <BatchTable batch={batch} />
    </div>
  );
}

function RunBar({ batch }: { batch: Batch }) {
  const text = useText();
  const run = useApp(({ batchRuns }) => batchRuns[batch.id]);
  const isReady = useApp(({ server }) => server.kind === 'ready');
  const { waiting, done, failed } = countStates(batch);
  const hasColumns = usableColumns(batch.plan).length > 0;
  const hasAnswers = batch.rows.some(({ cells }) => Object.keys(cells).length > 0);
  return (
    <div class="run-bar">
      {run ? (
        <button type="button" class="primary" onClick={() => stopBatch(batch.id)}>
          <Icon name="stop" /> {text.stop}
        </button>
      ) : (
        <button
          type="button"
          class="primary"
          disabled={!isReady || !hasColumns || waiting === 0}
          onClick={() => void runBatch(batch.id)}
        >
          <Icon name="play" /> {done + failed === 0 ? text.batch.start(waiting) : text.batch.resume(waiting)}
        </button>
      )}
      {!run && failed > 0 && (
        <button type="button" class="plain" disabled={!isReady} onClick={() => retryFailed(batch.id)}>
          <Icon name="again" /> {text.batch.retry(failed)}
        </button>
      )}
      {!run && hasAnswers && (
        <button type="button" class="plain" onClick={() => clearAnswers(batch.id)}>
          {text.batch.askAllAgain}
        </button>
      )}
      <BatchProgress batch={batch} />
      {hasAnswers && (
        <span class="export-buttons">
          <button type="button" class="plain" onClick={() => void copyTable(batch)}>
            <Icon name="copy" /> {text.batch.copyTable}
          </button>
          <button type="button" class="plain" onClick={() => saveCsv(batch)}>
            <Icon name="download" /> CSV
          </button>
          <button type="button" class="plain" onClick={() => saveJsonLines(batch)}>
            <Icon name="download" /> JSON Lines
          </button>
        </span>
      )}
      {!hasColumns && <span class="muted small">{text.batch.needsPlan}</span>}
    </div>
  );
}
