/** The lines of a response as they arrive. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  // Pieces of a line are joined once: a page is megabytes of text.
  let pieces: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      const [first = '', ...others] = decoder.decode(value, { stream: !done }).split('\n');
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
