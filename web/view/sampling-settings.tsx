import { useState } from 'preact/hooks';
import { SAMPLING_FIELDS, type SamplingField, samplingValue } from '../api/sampling.ts';
import { changeSettings } from '../state/settings.ts';
import { useApp, useText } from '../state/state.ts';

/** The sampling settings. An empty field shows and uses the server's value. */
export function SamplingSettings() {
  const text = useText();
  const sampling = useApp(({ settings }) => settings.sampling);
  return (
    <section>
      <h3>{text.sampling}</h3>
      <p class="muted small">{text.samplingHint}</p>
      <div class="fields">
        {SAMPLING_FIELDS.map((field) => (
          <NumberField key={field.name} field={field} />
        ))}
      </div>
      <button
        type="button"
        class="plain"
        disabled={Object.keys(sampling).length === 0}
        onClick={() => changeSettings({ sampling: {} })}
      >
        {text.reset}
      </button>
    </section>
  );
}

function NumberField({ field }: { field: SamplingField }) {
  const text = useText();
  const { name, min, isWhole } = field;
  const answerLimit = useApp(({ info }) => info?.answerLimitTokens);
  const max = name === 'max_tokens' ? (answerLimit ?? field.max) : field.max;
  const sampling = useApp(({ settings }) => settings.sampling);
  const byServer = useApp(({ info }) => info?.defaults[name]);
  const [wrong, setWrong] = useState<string | null>(null);
  const hintId = `hint-${name}`;
  const onInput = (written: string) => {
    const value = samplingValue({ min, max, isWhole }, written);
    setWrong(value === 'invalid' ? written : null);
    if (value === 'invalid') return;
    const { [name]: _, ...others } = sampling;
    changeSettings({ sampling: value === null ? others : { ...others, [name]: value } });
  };
  return (
    <label class="field">
      <span>{text.samplingNames[name]}</span>
      <input
        type="text"
        inputMode={isWhole ? 'numeric' : 'decimal'}
        value={wrong ?? sampling[name] ?? ''}
        placeholder={byServer === undefined ? (name === 'seed' ? text.chance : '') : String(byServer)}
        aria-describedby={hintId}
        aria-invalid={wrong !== null}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <span class={wrong === null ? 'muted small' : 'small wrong'} id={hintId}>
        {wrong === null ? text.samplingHints[name] : text.between(min, max)}
      </span>
    </label>
  );
}
