import { state, useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';

export function Header() {
  const text = useText();
  const isOpen = useApp((value) => value.isSidebarOpen);
  const server = useApp((value) => value.server.kind);
  const model = useApp(({ info }) => info?.model);
  return (
    <header class="header">
      <IconButton
        icon="menu"
        kind="phone-only"
        label={text.openConversations}
        expanded={isOpen}
        onClick={() => state.set({ isSidebarOpen: true })}
      />
      <h1>
        <Icon name="eye" /> CogVLM2
      </h1>
      <span class={`server ${server}`}>
        <span class="light" aria-hidden="true" />
        <span class="server-name">{server === 'ready' ? model : text.status[server]}</span>
      </span>
      <IconButton icon="gear" label={text.settings} onClick={() => state.set({ panel: 'settings' })} />
    </header>
  );
}
