import { presetColumns } from '../batch/presets.ts';
import { askDraft } from '../state/ask.ts';
import { changePlan } from '../state/batches.ts';
import { addFiles, addImage } from '../state/intake.ts';
import { changeDraft } from '../state/keeping.ts';
import { runBatch } from '../state/run-batch.ts';
import { state, useApp, useText } from '../state/state.ts';
import { newId } from '../storage/new-id.ts';
import { type ExampleImage, examplesIn } from './examples.ts';
import { Icon } from './icons.tsx';
import { PickFiles } from './pick-files.tsx';

/** What a user can do; shown before the first question. */
export function Welcome() {
  const text = useText();
  const isDemo = useApp(({ info }) => info?.isDemo === true);
  const isReady = useApp(({ server }) => server.kind === 'ready');
  const { questions, table } = examplesIn(text);
  return (
    <div class="scroller">
      <div class="welcome">
        <h2>{text.welcome}</h2>
        <p class="muted">{text.welcomeMore}</p>
        <div class="welcome-pick">
          <PickFiles kind="large" />
        </div>
        {isDemo && (
          <p class="demo">
            <strong>{text.demo}</strong> {text.demoMore}
          </p>
        )}
        <p class="muted small" id="examples">
          {text.tryOne}
        </p>
        <ul class="examples" aria-labelledby="examples">
          {questions.map(({ question, image }) => (
            <li key={image.name}>
              <button
                type="button"
                disabled={!isReady}
                aria-label={text.exampleLabel(question)}
                onClick={() => void askExample(image, question)}
              >
                <img src={image.url} alt="" />
                <span>{question}</span>
              </button>
            </li>
          ))}
          <li>
            <button type="button" disabled={!isReady} onClick={() => void readExamples(table)}>
              <span class="example-stack">
                {table.map(({ name, url }) => (
                  <img key={name} src={url} alt="" />
                ))}
              </span>
              <span>
                <Icon name="table" /> {text.examples.table(table.length)}
              </span>
            </button>
          </li>
        </ul>
      </div>
    </div>
  );
}

async function askExample(image: ExampleImage, question: string): Promise<void> {
  if (!(await addImage(image.file(), image.name))) return;
  changeDraft({ text: question });
  askDraft();
}

/** Starts a table of receipts. */
async function readExamples(images: readonly ExampleImage[]): Promise<void> {
  await addFiles(images.map(({ file }) => file()));
  const { batchId, text } = state.value;
  if (batchId === null) return;
  changePlan(batchId, { kind: 'fields', columns: presetColumns('receipt', text, newId) });
  await runBatch(batchId);
}
