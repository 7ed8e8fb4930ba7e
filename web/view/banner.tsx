import { useState } from 'preact/hooks';
import { changeSettings } from '../state/settings.ts';
import { useApp, useText } from '../state/state.ts';
import { Icon } from './icons.tsx';

/** Shows above the composer why the page cannot ask at the moment. */
export function Banner() {
  const text = useText();
  const server = useApp((value) => value.server);
  if (server.kind === 'locked') return <KeyBanner />;
  if (server.kind !== 'loading' && server.kind !== 'gone') return null;
  const progress = server.kind === 'loading' ? server.progress : null;
  return (
    <div class={`banner ${server.kind}`} role="status">
      {server.kind === 'gone' && <Icon name="warning" />}
      <span>{text[server.kind]}</span>
      {progress !== null && (
        <span class="loaded">
          <progress max={1} value={progress} aria-label={text.status.loading} />
          {Math.floor(progress * 100)}%
        </span>
      )}
    </div>
  );
}

function KeyBanner() {
  const text = useText();
  const isWrong = useApp(({ settings }) => settings.apiKey !== '');
  const [key, setKey] = useState('');
  return (
    <form
      class="banner locked"
      onSubmit={(event) => {
        event.preventDefault();
        changeSettings({ apiKey: key.trim() });
      }}
    >
      <span role="status">{isWrong ? text.failures.invalid_api_key : text.locked}</span>
      <input
        type="password"
        autocomplete="off"
        aria-label={text.apiKey}
        placeholder={text.apiKey}
        value={key}
        onInput={(event) => setKey(event.currentTarget.value)}
      />
      <button type="submit" class="primary" disabled={key.trim() === ''}>
        {text.saveKey}
      </button>
      <span class="muted small">{text.apiKeyHint}</span>
    </form>
  );
}
