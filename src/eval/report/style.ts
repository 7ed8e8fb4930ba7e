/** The style sheet of the report, for light and dark screens, phones and paper. */
export const style = `
:root { color-scheme: light dark; --ground: #fbfaf8; --card: #fff; --ink: #1c1b19; --soft: #6b675f; --line: #e4e0d8;
  --ours: #b4441c; --published: #9aa5ae; --track: #efece6; --right: #2f7d4f; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #161513; --card: #1f1e1b; --ink: #ece9e3; --soft: #a19c92;
  --line: #35322d; --ours: #f08a5d; --published: #6f7b85; --track: #2a2825; --right: #79c596; --wrong: #f2938c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 76rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.25rem; margin: 3rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .75rem; }
p { max-width: 46rem; } .soft { color: var(--soft); font-size: .875rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 10px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem .75rem; text-align: right; border-top: 1px solid var(--line); vertical-align: top; }
thead th { border-top: 0; font-size: .8125rem; color: var(--soft); font-weight: 600; white-space: nowrap; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--card); min-width: 11rem; max-width: 16rem; }
tbody th { font-weight: 500; overflow-wrap: anywhere; } .kind { color: var(--soft); font-size: .75rem; font-weight: 400; }
th .kind { display: block; }
tr.ours td { font-weight: 700; } tr.ours th { font-weight: 700; border-left: 4px solid var(--ours); }
td .counts { display: block; white-space: nowrap; font-weight: 400; font-size: .6875rem; line-height: 1.3; color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 1rem; }
.card { border: 1px solid var(--line); border-radius: 10px; background: var(--card); padding: 1rem; break-inside: avoid; }
svg { display: block; overflow: visible; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); } svg .kind { fill: var(--soft); font-size: 11px; }
svg .track { fill: var(--track); } svg .published .bar { fill: var(--published); } svg .ours .bar { fill: var(--ours); }
svg .ours text, svg .value { font-weight: 600; } svg .ours .kind { font-weight: 400; }
.parts { width: fit-content; max-width: 100%; } .parts table { width: auto; } .parts th, .parts td { padding-block: .3rem; }
.parts thead th { white-space: normal; max-width: 9rem; overflow-wrap: anywhere; vertical-align: bottom; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .5rem 0; font-weight: 600; }
.answers { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: 1rem; padding: .5rem 0 1rem; }
.answers img { display: block; max-width: 100%; max-height: 20rem; margin: 0 auto .75rem; border-radius: 6px; background: #fff; }
.id { color: var(--soft); font-size: .75rem; overflow-wrap: anywhere; }
.question { margin: .125rem 0 .75rem; font-weight: 600; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { margin: 0; display: grid; grid-template-columns: minmax(5rem, auto) 1fr; gap: .25rem .75rem; font-size: .9375rem; }
dt { color: var(--soft); font-size: .8125rem; padding-top: .1rem; overflow-wrap: anywhere; max-width: 9rem; }
dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.right::before { content: '✓ '; color: var(--right); } .wrong::before { content: '✗ '; color: var(--wrong); }
.undecided::before { content: '? '; color: var(--soft); } .empty { color: var(--soft); font-style: italic; }
@media (max-width: 40rem) { body { padding-top: 1.25rem; } h1 { font-size: 1.35rem; }
  th, td { padding: .4rem .5rem; } th:first-child { min-width: 8.5rem; max-width: 9.5rem; font-size: .875rem; } }
@media print { :root { --ground: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --ours: #b4441c;
  --published: #8a949c; --track: #eee; --right: #1d6b3d; --wrong: #9c1d16; }
  body { max-width: none; padding: 0; font-size: 10pt; } .scroll { overflow: visible; border: 0; }
  th:first-child { position: static; min-width: 0; } th, td { padding: .2rem .35rem; font-size: 8.5pt; }
  .charts { grid-template-columns: 1fr 1fr; } h2 { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;
