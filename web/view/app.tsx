import { currentConversation, state, useApp, useText } from '../state/state.ts';
import { Banner } from './banner.tsx';
import { Composer, QUESTION_ID } from './composer.tsx';
import { Header } from './header.tsx';
import { useIncomingPictures } from './incoming.ts';
import { Notices } from './notices.tsx';
import { SettingsPanel } from './settings-panel.tsx';
import { ShortcutsPanel, useShortcuts } from './shortcuts.tsx';
import { Sidebar } from './sidebar.tsx';
import { Thread } from './thread.tsx';
import { Viewer } from './viewer.tsx';
import { Welcome } from './welcome.tsx';

export function App() {
  const text = useText();
  const conversation = useApp(currentConversation);
  const panel = useApp((value) => value.panel);
  const viewing = useApp((value) => value.viewing);
  const isDragging = useApp((value) => value.isDragging);
  const isSidebarOpen = useApp((value) => value.isSidebarOpen);
  const announcement = useApp((value) => value.announcement);
  useShortcuts();
  useIncomingPictures();
  return (
    <div class="app">
      <a class="skip" href={`#${QUESTION_ID}`}>
        {text.skip}
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
        {conversation ? <Thread conversation={conversation} /> : <Welcome />}
        <div class="bottom">
          <Banner />
          <Composer />
        </div>
      </main>
      {isDragging && <div class="drop">{text.dropHere}</div>}
      {panel === 'settings' && <SettingsPanel />}
      {panel === 'shortcuts' && <ShortcutsPanel />}
      {viewing !== null && <Viewer key={viewing} id={viewing} />}
      {panel === null && viewing === null && <Notices />}
      <div class="off-screen" role="status" aria-live="polite">
        {announcement}
      </div>
    </div>
  );
}
