/** Escapes text for HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Escapes text for a cell of a Markdown table: on one line, without Markdown syntax. */
export function escapeMarkdown(text: string): string {
  return escapeHtml(text.replaceAll(/\s*\n\s*/g, ' ⏎ ')).replaceAll(/[\\`*_{}[\]|~#]/g, '\\$&');
}
