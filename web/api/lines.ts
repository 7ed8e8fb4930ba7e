/** The lines of a response as they arrive. A line ends with \n, \r\n or \r. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  // The pieces of a line are joined only once, because a page is megabytes of text.
  let pieces: string[] = [];
  // A \r at the end of a piece may be the first half of \r\n.
  let held = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const text = held + decoder.decode(value, { stream: !done });
      held = !done && text.endsWith('\r') ? '\r' : '';
      const [first = '', ...others] = text.slice(0, text.length - held.length).split(/\r\n|\n|\r/);
      pieces.push(first);
      for (const next of others) {
        yield pieces.join('');
        pieces = [next];
      }
      if (done) break;
    }
    const last = pieces.join('');
    if (last !== '') yield last;
  } finally {
    await reader.cancel().catch(() => {});
  }
}
