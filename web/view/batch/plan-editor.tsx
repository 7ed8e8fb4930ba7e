import { useEffect, useState } from 'preact/hooks';
import { readSchema, SchemaError, type SchemaProblem, schemaOf, usableColumns } from '../../batch/plan.ts';
import { PRESETS, presetColumns } from '../../batch/presets.ts';
import { type Batch, COLUMN_TYPES, type Column, type Plan } from '../../batch/types.ts';
import { changePlan } from '../../state/batches.ts';
import { useApp, useText } from '../../state/state.ts';
import { newId } from '../../storage/new-id.ts';
import { IconButton } from '../icon-button.tsx';
import { Icon } from '../icons.tsx';

/** The questions for each page, or fields with types. */
export function PlanEditor({ batch }: { batch: Batch }) {
  const text = useText();
  const isRunning = useApp(({ batchRuns }) => batchRuns[batch.id] !== undefined);
  const { plan } = batch;
  const isStarted = batch.rows.some(({ state }) => state !== 'waiting');
  // When pages are read, the table gets the space.
  const [isOpen, setOpen] = useState(!isStarted);
  useEffect(() => setOpen(!isStarted), [isStarted]);
  const change = (changed: Partial<Plan>) => changePlan(batch.id, changed);
  if (!isOpen) {
    return (
      <p class="plan-summary small">
        <span dir="auto">
          {usableColumns(plan)
            .map(({ name }) => name)
            .join(' · ')}
        </span>
        <button type="button" class="link" aria-expanded={false} onClick={() => setOpen(true)}>
          {text.batch.changePlan}
        </button>
      </p>
    );
  }
  return (
    <fieldset class="plan" disabled={isRunning}>
      <legend class="off-screen">{text.batch.plan}</legend>
      <div class="plan-top">
        <div class="segments" role="radiogroup" aria-label={text.batch.plan}>
          {(['questions', 'fields'] as const).map((kind) => (
            <label key={kind}>
              <input
                type="radio"
                name={`plan-${batch.id}`}
                checked={plan.kind === kind}
                onChange={() => change({ kind, columns: [], schema: null })}
              />
              <span>{text.batch.kinds[kind]}</span>
            </label>
          ))}
        </div>
        <span class="presets">
          <span class="muted small">{text.batch.presets}</span>
          {PRESETS.map((preset) => (
            <button
              type="button"
              class="chip"
              key={preset}
              onClick={() =>
                change({ kind: 'fields', schema: null, columns: presetColumns(preset, text, newId) })
              }
            >
              {text.batch.presetNames[preset]}
            </button>
          ))}
        </span>
      </div>
      {plan.kind === 'questions' ? (
        <Questions plan={plan} onChange={change} />
      ) : (
        <Fields plan={plan} onChange={change} />
      )}
    </fieldset>
  );
}

interface PlanProps {
  plan: Plan;
  onChange: (change: Partial<Plan>) => void;
}

function columnEdits({ plan: { columns }, onChange }: PlanProps) {
  return {
    add: (name: string) =>
      onChange({ columns: [...columns, { id: newId(), name, type: 'text', isRequired: true, hint: '' }] }),
    change: (column: Column, changed: Partial<Column>) =>
      onChange({ columns: columns.map((each) => (each === column ? { ...each, ...changed } : each)) }),
    remove: (column: Column) => onChange({ columns: columns.filter((each) => each !== column) }),
  };
}

/** One question in each line, and an empty line for the next one. */
function Questions({ plan, onChange }: PlanProps) {
  const text = useText();
  const { add, change, remove } = columnEdits({ plan, onChange });
  return (
    <ol class="questions">
      {[...plan.columns, undefined].map((column, index) => (
        // Keyed by position: the empty field becomes the question that is typed into it.
        <li key={index}>
          <input
            dir="auto"
            aria-label={text.batch.question(index + 1)}
            placeholder={index === 0 ? text.batch.firstQuestion : text.batch.nextQuestion}
            value={column?.name ?? ''}
            onInput={({ currentTarget: { value } }) =>
              column ? change(column, { name: value }) : add(value)
            }
          />
          {column && (
            <IconButton
              icon="close"
              label={text.batch.removeColumn(column.name)}
              onClick={() => remove(column)}
            />
          )}
        </li>
      ))}
    </ol>
  );
}

function Fields({ plan, onChange }: PlanProps) {
  const text = useText();
  const [isPasting, setPasting] = useState(false);
  const { columns, schema } = plan;
  const { add, change, remove } = columnEdits({ plan, onChange });
  return (
    <>
      {schema === null ? (
        <ul class="columns">
          {columns.map((column) => (
            <FieldRow
              key={column.id}
              column={column}
              onChange={(changed) => change(column, changed)}
              onRemove={() => remove(column)}
            />
          ))}
        </ul>
      ) : (
        <p class="small">
          {text.batch.pasted(columns.map(({ name }) => name).join(', '))}{' '}
          <button type="button" class="link" onClick={() => onChange({ schema: null })}>
            {text.batch.editFields}
          </button>
        </p>
      )}
      <div class="plan-bottom">
        {schema === null && (
          <button type="button" class="plain" onClick={() => add('')}>
            <Icon name="plus" /> {text.batch.addField}
          </button>
        )}
        <button type="button" class="plain" aria-expanded={isPasting} onClick={() => setPasting(!isPasting)}>
          {text.batch.jsonSchema}
        </button>
        <label class="check">
          <input
            type="checkbox"
            checked={plan.asks === 'separately'}
            onChange={({ currentTarget: { checked } }) =>
              onChange({ asks: checked ? 'separately' : 'together' })
            }
          />
          <span>{text.batch.separately}</span>
        </label>
      </div>
      {isPasting && <SchemaField plan={plan} onChange={onChange} />}
    </>
  );
}

function FieldRow(props: {
  column: Column;
  onChange: (change: Partial<Column>) => void;
  onRemove: () => void;
}) {
  const { column, onChange, onRemove } = props;
  const text = useText();
  const written = (part: 'name' | 'hint', label: string) => (
    <input
      dir="auto"
      class={`column-${part}`}
      aria-label={label}
      placeholder={label}
      value={column[part]}
      onInput={({ currentTarget: { value } }) => onChange({ [part]: value })}
    />
  );
  return (
    <li>
      {written('name', text.batch.fieldName)}
      <select
        aria-label={text.batch.fieldType}
        value={column.type}
        onChange={({ currentTarget: { value } }) =>
          onChange({ type: COLUMN_TYPES.find((type) => type === value) ?? 'text' })
        }
      >
        {COLUMN_TYPES.map((type) => (
          <option key={type} value={type}>
            {text.batch.types[type]}
          </option>
        ))}
      </select>
      {written('hint', text.batch.fieldHint)}
      <label class="check">
        <input
          type="checkbox"
          checked={column.isRequired}
          onChange={({ currentTarget: { checked } }) => onChange({ isRequired: checked })}
        />
        <span>{text.batch.required}</span>
      </label>
      <IconButton icon="close" label={text.batch.removeColumn(column.name)} onClick={onRemove} />
    </li>
  );
}

/** The schema that is sent. The user can copy it, or paste another one over it. */
function SchemaField({ plan, onChange }: PlanProps) {
  const text = useText();
  const [problem, setProblem] = useState<SchemaProblem | null>(null);
  return (
    <label class="field">
      <span>{text.batch.pasteSchema}</span>
      <textarea
        class="schema"
        spellcheck={false}
        rows={8}
        aria-invalid={problem !== null}
        aria-describedby="schema-problem"
        defaultValue={JSON.stringify(schemaOf(plan), null, 2)}
        onInput={({ currentTarget: { value } }) => {
          try {
            onChange(readSchema(value, newId));
            setProblem(null);
          } catch (error) {
            if (!(error instanceof SchemaError)) throw error;
            setProblem(error.problem);
          }
        }}
      />
      <span class="small wrong" id="schema-problem" role="alert">
        {problem && text.batch.schemaProblems[problem]}
      </span>
    </label>
  );
}
