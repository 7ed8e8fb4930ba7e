/** Copies a selection with the LaTeX sources of its formulas. The text of MathML contains only their letters. */
export function copyWithSources(event: ClipboardEvent): void {
  const selection = getSelection();
  if (!event.clipboardData || !selection || selection.rangeCount === 0) return;
  const copied = document.createElement('div');
  copied.className = 'markdown off-screen';
  copied.append(selection.getRangeAt(0).cloneContents());
  const formulas = copied.querySelectorAll<HTMLElement>('.formula');
  if (formulas.length === 0) return;
  event.preventDefault();
  for (const button of copied.querySelectorAll('button')) button.remove();
  event.clipboardData.setData('text/html', copied.innerHTML);
  for (const formula of formulas) formula.textContent = formula.dataset.source ?? '';
  document.body.append(copied);
  // biome-ignore lint/performance/useDomNodeTextContent: only what is laid out has lines
  event.clipboardData.setData('text/plain', copied.innerText);
  copied.remove();
}
