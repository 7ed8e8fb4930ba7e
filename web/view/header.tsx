import { changeSettings } from '../state/settings.ts';
import { state, useApp, useText } from '../state/state.ts';
import { IconButton } from './icon-button.tsx';
import { Icon } from './icons.tsx';

/** From this width on the list of conversations is beside the document; below it slides over the page. */
const WIDE = '(min-width: 1100px)';

export function Header() {
  const text = useText();
  const isOpen = useApp((value) => value.isSidebarOpen);
  const showsSidebar = useApp(({ settings }) => settings.showsSidebar);
  const server = useApp((value) => value.server.kind);
  const model = useApp(({ info }) => info?.model);
  const isWide = matchMedia(WIDE).matches;
  const isShown = isWide ? showsSidebar : isOpen;
  return (
    <header class="header">
      <IconButton
        icon="menu"
        label={isShown ? text.closeConversations : text.openConversations}
        expanded={isShown}
        onClick={() =>
          matchMedia(WIDE).matches
            ? changeSettings({ showsSidebar: !showsSidebar })
            : state.set({ isSidebarOpen: !isOpen })
        }
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
