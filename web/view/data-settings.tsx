import { useEffect, useRef, useState } from 'preact/hooks';
import { deleteAllConversations, exportConversations, importConversations } from '../state/history.ts';
import { useApp, useText } from '../state/state.ts';

/** Shows where conversations are stored, and exports and imports them. */
export function DataSettings() {
  const text = useText();
  const conversations = useApp((value) => value.conversations.length);
  const isKept = useApp(({ database }) => database.isKept);
  const file = useRef<HTMLInputElement>(null);
  const [isSure, setSure] = useState(false);
  return (
    <section>
      <h3>{text.data}</h3>
      <p class={isKept ? 'muted small' : 'small wrong'}>
        {isKept ? text.dataHint : text.notKept} <Quota />
      </p>
      <div class="buttons">
        <button type="button" class="plain" disabled={conversations === 0} onClick={exportConversations}>
          {text.exportAll}
        </button>
        <button type="button" class="plain" onClick={() => file.current?.click()}>
          {text.importFile}
        </button>
        <input
          ref={file}
          type="file"
          accept=".json,application/json"
          hidden
          aria-label={text.importFile}
          onChange={({ currentTarget: input }) => {
            const [chosen] = input.files ?? [];
            if (chosen) void importConversations(chosen);
            input.value = '';
          }}
        />
        <button
          type="button"
          class="plain danger"
          disabled={conversations === 0}
          onBlur={() => setSure(false)}
          onClick={() => {
            if (isSure) deleteAllConversations();
            setSure(!isSure);
          }}
        >
          {isSure ? text.deleteAllSure(conversations) : text.deleteAll}
        </button>
      </div>
    </section>
  );
}

/** Available only on https and on localhost. */
function Quota() {
  const text = useText();
  const [estimate, setEstimate] = useState<StorageEstimate>({});
  useEffect(() => {
    void navigator.storage?.estimate().then(setEstimate, () => {});
  }, []);
  const { usage, quota } = estimate;
  if (usage === undefined) return null;
  return <span class="quota">{quota === undefined ? text.quotaUsed(usage) : text.quota(usage, quota)}</span>;
}
