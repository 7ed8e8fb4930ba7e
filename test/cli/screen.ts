/** The lines that a terminal with this number of columns shows after `written`, without spaces at their ends. */
export function screenAfter(written: string, columns: number): string[] {
  const lines: string[][] = [[]];
  let row = 0;
  let column = 0;
  const cut = () => {
    lines[row] = (lines[row] ?? []).slice(0, column);
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal is told with
  for (const [token, , count, command] of written.matchAll(/(\x1b\[(\d*)([AKJ]))|[\s\S]/gu)) {
    if (command === 'A') row -= Number(count);
    else if (command === 'K') cut();
    else if (command === 'J') {
      cut();
      lines.length = row + 1;
    } else if (token === '\r') column = 0;
    else if (token === '\n') {
      row++;
      column = 0; // The normal setting of a terminal outside editors.
    } else {
      if (column === columns) {
        row++;
        column = 0;
      }
      const line = lines[row] ?? [];
      lines[row] = line;
      line[column++] = token;
    }
    if (row < 0) throw new Error(`${JSON.stringify(written)} moves above the first line.`);
    lines[row] ??= [];
  }
  return lines.map((line) =>
    Array.from(line, (character) => character ?? ' ')
      .join('')
      .trimEnd(),
  );
}
