/** Answers of a model that try to run code in the chat page: Markdown, HTML and TeX, valid and broken, nested in each other. */
import type { Random } from './random.ts';

/** All attacks run this code, so that one check finds a successful attack. */
export const HARM = 'window.harmed=1';

const ADDRESSES = [
  `javascript:${HARM}`,
  `JaVaScRiPt:${HARM}`,
  `java\tscript:${HARM}`,
  `java&#10;script:${HARM}`,
  `&#106;avascript:${HARM}`,
  `&#x6A;avascript&colon;${HARM}`,
  `\u0001javascript:${HARM}`,
  ` javascript:${HARM}`,
  `javascript&#58;${HARM}`,
  `data:text/html,<script>${HARM}</script>`,
  `vbscript:${HARM}`,
  `blob:x`,
  `file:///etc/passwd`,
  `//evil.example/x`,
  `https://evil.example/"onmouseover="${HARM}`,
  `https://evil.example/' onclick='${HARM}`,
  'https://example.com/a?b=c&d',
  'mailto:a@example.com',
  `\\\\evil.example\\x`,
];

const HTML = [
  `<script>${HARM}</script>`,
  `<img src=x onerror=${HARM}>`,
  `<img src="x" onerror="${HARM}">`,
  `<svg onload=${HARM}>`,
  `<svg><script>${HARM}</script></svg>`,
  `<svg><animate onbegin=${HARM} attributeName=x dur=1s>`,
  `<svg><use href="data:image/svg+xml,<svg id=x onload=${HARM}>#x"></use></svg>`,
  `<math><mtext></mtext><mglyph><style><img src=x onerror=${HARM}></style></math>`,
  `<math><annotation-xml encoding="text/html"><img src=x onerror=${HARM}></annotation-xml></math>`,
  `<math href="javascript:${HARM}">x</math>`,
  `<math><mi xlink:href="javascript:${HARM}">x</mi></math>`,
  `<form><math><mtext></form><form><mglyph><style></math><img src onerror=${HARM}>`,
  `<iframe srcdoc="<script>parent.harmed=1</script>"></iframe>`,
  `<iframe src="javascript:parent.harmed=1"></iframe>`,
  `<object data="javascript:${HARM}"></object>`,
  `<embed src="javascript:${HARM}">`,
  `<a href="javascript:${HARM}">x</a>`,
  `<a href=x onclick=${HARM} autofocus onfocus=${HARM} tabindex=1>x</a>`,
  `<input autofocus onfocus=${HARM}>`,
  `<details open ontoggle=${HARM}><summary>x</summary></details>`,
  `<video><source onerror=${HARM}></video>`,
  `<body onload=${HARM}>`,
  `<style>@import 'javascript:${HARM}';*{background:url(https://evil.example/x)}</style>`,
  `<link rel=stylesheet href=https://evil.example/x>`,
  `<meta http-equiv=refresh content="0;url=javascript:${HARM}">`,
  `<base href="https://evil.example/">`,
  `<template><img src=x onerror=${HARM}></template>`,
  `<noscript><p title="</noscript><img src=x onerror=${HARM}>">`,
  `<select><template><img src=x onerror=${HARM}></template></select>`,
  `<textarea></textarea><img src=x onerror=${HARM}>`,
  `<title></title><img src=x onerror=${HARM}>`,
  `<xmp></xmp><img src=x onerror=${HARM}>`,
  `<p id=children name=attributes><input name=children>`,
  `<!--><img src=x onerror=${HARM}>-->`,
  `<!-- --!><img src=x onerror=${HARM}>`,
  `<![CDATA[><img src=x onerror=${HARM}>]]>`,
  `<?xml version="1.0"?><img src=x onerror=${HARM}>`,
  `<br><br/>`,
  `<br onload=${HARM}>`,
  '</p></li></table></td></math></span>',
];

const FORMULAS = [
  `\\href{javascript:${HARM}}{x}`,
  `\\url{javascript:${HARM}}`,
  `\\includegraphics{https://evil.example/x.png}`,
  `\\htmlData{onclick=${HARM}}{x}`,
  `\\class{x" onclick="${HARM}}{x}`,
  `\\style{background:url(https://evil.example/x)}{x}`,
  `\\text{<img src=x onerror=${HARM}>}`,
  `\\text{</math><script>${HARM}</script>}`,
  `\\unicode{x3c}script`,
  `\\def\\a{\\a\\a}\\a`,
  `\\newcommand{\\b}[1]{#1#1#1#1}\\b{\\b{\\b{\\b{\\b{x}}}}}`,
  `\\rule{99999em}{99999em}`,
  `\\color{url(https://evil.example/x)}{x}`,
  `\\colorbox{red;background:url(x)}{x}`,
  `\\begin{array}{${'c'.repeat(200)}}x\\end{array}`,
  '{'.repeat(300),
  '\\sqrt{'.repeat(200),
  '\\frac{a}{b}',
  'x^{2}_{i}',
  '\\tag{<b>}',
  '\\label{a}\\ref{a}',
  '\\mathchoice{a}{b}{c}{d}',
];

const WORDS = [
  'total',
  '21.40',
  '合计',
  '3~5',
  'a_b_c',
  '\u202e',
  '\u0000',
  '\ufffd',
  '&lt;',
  '&amp;amp;',
  '\\',
  '|',
];

/** Makes an answer of a few hundred characters. */
export function hostileAnswer(random: Random): string {
  let text = '';
  const pieces = 1 + random.below(6);
  for (let i = 0; i < pieces; i++)
    text += random.pick(['', ' ', '\n', '\n\n', '\n> ', '\n- ', '\n    ']) + piece(random, 0);
  return random.chance(0.4) ? damaged(random, text) : text;
}

function piece(random: Random, depth: number): string {
  const inner = () => (depth < 4 ? piece(random, depth + 1) : random.pick(WORDS));
  switch (random.below(18)) {
    case 0:
    case 1:
      return random.pick(HTML);
    case 2:
      return `[${inner()}](${random.pick(ADDRESSES)})`;
    case 3:
      return `[${inner()}](<${random.pick(ADDRESSES)}> "${inner()}")`;
    case 4:
      return `![${inner()}](${random.pick(ADDRESSES)} '${inner()}')`;
    case 5:
      return `<${random.pick(ADDRESSES)}>`;
    case 6:
      return `[a]\n\n[a]: ${random.pick(ADDRESSES)} "${inner()}"`;
    case 7:
      return `$${random.pick(FORMULAS)}$`;
    case 8:
      return `$$${random.pick(FORMULAS)}${inner()}$$`;
    case 9:
      return `\\(${inner()}\\) \\[${random.pick(FORMULAS)}\\]`;
    case 10:
      return `\`${inner()}\``;
    case 11:
      return `\`\`\`${random.pick(['html', `x" onclick="${HARM}`, '<b>', ''])}\n${inner()}\n\`\`\``;
    case 12:
      return `| ${inner()} | b |\n|:-:|--|\n| ${inner()} | ${inner()} |`;
    case 13:
      return `**${inner()}** *${inner()}* ~~${inner()}~~`;
    case 14:
      return `# ${inner()}\n\n1. ${inner()}\n- [x] ${inner()}`;
    case 15:
      return `> ${inner()}\n> ${inner()}`;
    case 16:
      return random
        .pick(['*', '_', '[', '](', '`', '$', '<', '&', '|', '> ', '~'])
        .repeat(1 + random.below(200));
    default:
      return random.pick(WORDS);
  }
}

/** Cuts a text, repeats it, or inserts characters. */
function damaged(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return (
        text.slice(0, at) +
        random.pick(['<', '>', '"', "'", '`', '\n', '&', '$', '](', '\u0000', '<!--']) +
        text.slice(at)
      );
    case 2:
      return text.slice(0, at) + text.slice(random.below(text.length + 1));
    default:
      return text.replace(random.pick(['>', '"', ')', '}', '</']), '');
  }
}
