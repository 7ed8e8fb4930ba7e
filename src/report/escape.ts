/** Text of a model or of a file between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Text in a cell of a Markdown table: on one line, and no mark of it means anything. */
export function escapeMarkdown(text: string): string {
  return escapeHtml(text.replaceAll(/\s*\n\s*/g, ' ⏎ ')).replaceAll(/[\\`*_{}[\]|~#]/g, '\\$&');
}
