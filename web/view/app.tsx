import type { Conversation } from '../conversation/types.ts';
import {
  currentBatch,
  currentConversation,
  currentRow,
  shownImageId,
  state,
  useApp,
  useText,
} from '../state/state.ts';
import { Banner } from './banner.tsx';
import { TABLE_ID } from './batch/batch-table.tsx';
import { BatchView } from './batch/batch-view.tsx';
import { PageForm } from './batch/page-form.tsx';
import { Composer, QUESTION_ID } from './composer.tsx';
import { DocumentPane } from './document/document-pane.tsx';
import { Header } from './header.tsx';
import { useIncomingFiles } from './incoming.ts';
import { IntakeBar } from './intake-bar.tsx';
import { Notices } from './notices.tsx';
import { SettingsPanel } from './settings-panel.tsx';
import { ShortcutsPanel, useShortcuts } from './shortcuts.tsx';
import { Sidebar } from './sidebar.tsx';
import { Thread } from './thread.tsx';
import { Welcome } from './welcome.tsx';

export function App() {
  const text = useText();
  const panel = useApp((value) => value.panel);
  const isDragging = useApp((value) => value.isDragging);
  const isSidebarOpen = useApp((value) => value.isSidebarOpen);
  const showsSidebar = useApp(({ settings }) => settings.showsSidebar);
  const showsTable = useApp(({ batchId, rowId }) => batchId !== null && rowId === null);
  const announcement = useApp((value) => value.announcement);
  useShortcuts();
  useIncomingFiles();
  return (
    <div class={`app ${showsSidebar ? 'with-sidebar' : ''}`}>
      <a class="skip" href={`#${showsTable ? TABLE_ID : QUESTION_ID}`}>
        {showsTable ? text.batch.skip : text.skip}
      </a>
      <Sidebar />
      {isSidebarOpen && (
        <button
          type="button"
          class="shade"
          tabIndex={-1}
          aria-label={text.closeConversations}
          onClick={() => state.set({ isSidebarOpen: false })}
        />
      )}
      <main class="main">
        <Header />
        <Workspace />
      </main>
      {isDragging && <div class="drop">{text.dropHere}</div>}
      {panel === 'settings' && <SettingsPanel />}
      {panel === 'shortcuts' && <ShortcutsPanel />}
      <div class="off-screen" role="status" aria-live="polite">
        {announcement}
      </div>
    </div>
  );
}

/** The document on the left, as large as possible, and the conversation on the right; or the table of a batch. */
function Workspace() {
  const batch = useApp(currentBatch);
  const row = useApp(currentRow);
  const conversation = useApp(currentConversation);
  const image = useApp((value) => value.images[shownImageId(value) ?? '']);
  if (batch && !row) {
    return (
      <div class="workspace table-only">
        <BatchView batch={batch} />
        <div class="bottom">
          <Below />
        </div>
      </div>
    );
  }
  return (
    <div class={`workspace ${image ? 'with-document' : ''}`}>
      {image && <DocumentPane key={image.id} image={image} />}
      <div class="talk">
        {batch && row && <PageForm key={row.id} batch={batch} row={row} />}
        <Talk conversation={conversation} isNew={!image && !batch} />
        <div class="bottom">
          <Below />
          <Composer />
        </div>
      </div>
    </div>
  );
}

function Talk({ conversation, isNew }: { conversation: Conversation | null; isNew: boolean }) {
  if (conversation) return <Thread conversation={conversation} />;
  return isNew ? <Welcome /> : <div class="scroller" />;
}

/** Messages. They are below the content, so that they cover nothing. */
function Below() {
  const panel = useApp((value) => value.panel);
  return (
    <>
      <IntakeBar />
      {panel === null && <Notices />}
      <Banner />
    </>
  );
}
