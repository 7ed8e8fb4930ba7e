import { askDraft } from '../state/ask.ts';
import { changeDraft } from '../state/keeping.ts';
import { addPicture } from '../state/pictures.ts';
import { useApp, useText } from '../state/state.ts';
import { type Example, examplesIn } from './examples.ts';
import { Icon } from './icons.tsx';
import { PickPicture } from './pick-picture.tsx';

/** What there is to do, before anything was asked. */
export function Welcome() {
  const text = useText();
  const isDemo = useApp(({ info }) => info?.isDemo === true);
  const isReady = useApp(({ server }) => server.kind === 'ready');
  return (
    <div class="scroller">
      <div class="welcome">
        <div class="welcome-eye">
          <Icon name="eye" />
        </div>
        <h2>{text.welcome}</h2>
        <p class="muted">{text.welcomeMore}</p>
        <div class="welcome-pick">
          <PickPicture kind="large" />
        </div>
        <p class="muted small" id="examples">
          {text.tryOne}
        </p>
        <ul class="examples" aria-labelledby="examples">
          {examplesIn(text).map((example) => (
            <li key={example.name}>
              <button
                type="button"
                disabled={!isReady}
                aria-label={text.exampleLabel(example.question)}
                onClick={() => askExample(example)}
              >
                <img src={example.url} alt="" />
                <span>{example.question}</span>
              </button>
            </li>
          ))}
        </ul>
        {isDemo && (
          <p class="demo">
            <strong>{text.demo}</strong> {text.demoMore}
          </p>
        )}
      </div>
    </div>
  );
}

async function askExample({ blob, name, question }: Example): Promise<void> {
  if (!(await addPicture(blob(), name))) return;
  changeDraft({ text: question });
  askDraft();
}
