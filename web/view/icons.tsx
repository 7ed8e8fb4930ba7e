/** Line icons of 24 by 24. They have no text; the button around them has a label. */
const paths = {
  eye: 'M2.500 12C5 7.500 8.200 5.500 12 5.500s7 2 9.500 6.500c-2.500 4.500-5.700 6.500-9.500 6.500S5 16.500 2.500 12zM12 9.200a2.800 2.800 0 1 0 0 5.600 2.800 2.800 0 0 0 0-5.600z',
  chat: 'M5 5.500h14v10H11l-4.500 4v-4H5z',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  turn: 'M18.500 9A7 7 0 1 0 19 13.500M19 4.500V9h-4.500',
  region: 'M4.500 8V4.500H8M16 4.500h3.500V8M19.500 16v3.500H16M8 19.500H4.500V16M9 9h6v6H9z',
  table: 'M4 5.500h16v13H4zM4 10h16M4 14.300h16M10 5.500v13',
  play: 'M8 5.500v13l10.500-6.500z',
  download: 'M12 4.500v11M7.500 11.500l4.500 4.500 4.500-4.500M5 19.500h14',
  folder: 'M4 6.500h5.500l2 2.500H20v9.500H4z',
  menu: 'M4 7h16M4 12h16M4 17h10',
  search: 'M11 4.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.800 15.800 20 20',
  gear: 'M4 7h9M19 7h1M4 17h1M11 17h9M16 4.500v5M8 14.500v5',
  image:
    'M5 4.500h14a1 1 0 0 1 1 1v13a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-13a1 1 0 0 1 1-1zM4.500 17l4.500-5 4 4 2.500-2.500 4 4M15.500 8.500h.01',
  camera: 'M4 8h3.500L9 5.500h6L16.500 8H20v11H4zM12 10.200a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
  send: 'M12 19V5.500M6 11l6-6 6 6',
  stop: 'M7.500 7.500h9v9h-9z',
  close: 'M6.500 6.500l11 11M17.500 6.500l-11 11',
  copy: 'M9 9h10.500v10.500H9zM5.500 15H4.500V4.500H15v1',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  again: 'M19.500 12a7.500 7.500 0 1 1-2.200-5.300L19.500 9M19.500 4.500V9H15',
  edit: 'M5 19l.8-3.800L15.500 5.500l3 3-9.700 9.700zM13.500 7.500l3 3',
  left: 'M14 6.500 8.500 12l5.500 5.500',
  right: 'M10 6.500l5.500 5.500-5.500 5.500',
  down: 'M12 5v13.500M6 13l6 6 6-6',
  trash: 'M5 7h14M9.500 7V4.500h5V7M7 7l.8 12.500h8.400L17 7M10.500 10.500v6M13.500 10.500v6',
  warning: 'M12 4.500 21 19.500H3zM12 10v4.500M12 17h.01',
} as const;

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

export type IconName = keyof typeof paths;
