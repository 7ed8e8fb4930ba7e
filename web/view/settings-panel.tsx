import { hasNotifications, turnOnNotifications, willNotify } from '../state/notify-at-end.ts';
import { changeSettings, wantsEvidence as evidenceIsWanted } from '../state/settings.ts';
import { state, useApp, useText } from '../state/state.ts';
import { LANGUAGES, THEMES } from '../storage/settings.ts';
import { DataSettings } from './data-settings.tsx';
import { Panel } from './panel.tsx';
import { SamplingSettings } from './sampling-settings.tsx';

export function SettingsPanel() {
  const text = useText();
  const settings = useApp((value) => value.settings);
  const wantsEvidence = useApp(evidenceIsWanted);
  const notifies = useApp(willNotify);
  const model = useApp(({ info }) => info?.model);
  const names = { auto: text.auto, en: 'English', zh: '中文', light: text.light, dark: text.dark };
  return (
    <Panel title={text.settings} kind="settings" onClose={() => state.set({ panel: null })}>
      <Choice
        legend={text.language}
        choices={LANGUAGES}
        names={names}
        chosen={settings.language}
        onChoose={(language) => changeSettings({ language })}
      />
      <Choice
        legend={text.theme}
        choices={THEMES}
        names={names}
        chosen={settings.theme}
        onChoose={(theme) => changeSettings({ theme })}
      />
      <section>
        <h3>{text.display}</h3>
        <label class="check">
          <input
            type="checkbox"
            checked={settings.showsDetails}
            onChange={({ currentTarget: { checked } }) => changeSettings({ showsDetails: checked })}
          />
          <span>{text.showDetails}</span>
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={wantsEvidence}
            onChange={({ currentTarget: { checked } }) => changeSettings({ showsEvidence: checked })}
          />
          <span>{text.showEvidence}</span>
        </label>
        {hasNotifications && (
          <label class="check">
            <input
              type="checkbox"
              checked={notifies}
              onChange={({ currentTarget: { checked } }) => {
                if (!checked) changeSettings({ notifies: false });
                else void turnOnNotifications();
              }}
            />
            <span>{text.notify}</span>
          </label>
        )}
      </section>
      <SamplingSettings />
      <section>
        <h3>{text.serverAndModel}</h3>
        {model && <p class="muted small">{model}</p>}
        <label class="field">
          <span>{text.apiKey}</span>
          <input
            type="password"
            autocomplete="off"
            value={settings.apiKey}
            onChange={(event) => changeSettings({ apiKey: event.currentTarget.value.trim() })}
          />
          <span class="muted small">{text.apiKeyHint}</span>
        </label>
      </section>
      <DataSettings />
      <button type="button" class="plain desktop-only" onClick={() => state.set({ panel: 'shortcuts' })}>
        {text.shortcuts}…
      </button>
    </Panel>
  );
}

function Choice<T extends string>(props: {
  legend: string;
  choices: readonly T[];
  names: Record<T, string>;
  chosen: T;
  onChoose: (choice: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{props.legend}</legend>
      <div class="segments">
        {props.choices.map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name={props.legend}
              checked={choice === props.chosen}
              onChange={() => props.onChoose(choice)}
            />
            <span>{props.names[choice]}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
