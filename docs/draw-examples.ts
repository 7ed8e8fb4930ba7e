/** Draws examples/invoices/ and the café receipts and delivery notes of examples/images/ with Chromium: npx tsx docs/draw-examples.ts [FOLDER] */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launchChromium } from '../test/web/chromium.ts';

const folder = process.argv[2] ?? 'examples';

type Row = readonly [left: string, right: string];

/** A sheet of paper. `head` is the name of the shop; rows stand below each other, the last one is the total. */
interface Sheet {
  file: string;
  head: string;
  lines: readonly string[];
  rows: readonly Row[];
  total: Row;
  end?: string;
  font: string;
  style: 'receipt' | 'letter' | 'boxed';
}

const sheets: readonly Sheet[] = [
  {
    file: 'invoices/01-harbor-tools.png',
    head: 'Harbor Tools',
    lines: ['Invoice 2041', 'Date: 03/12/2024'],
    rows: [
      ['Drill', '64.00'],
      ['Gloves', '9.50'],
    ],
    total: ['Total', '$73.50'],
    font: 'DejaVu Sans',
    style: 'letter',
  },
  {
    file: 'invoices/02-green-garden.png',
    head: 'Green Garden',
    lines: ['Invoice 3076', 'Date: 04/15/2024'],
    rows: [
      ['Soil', '12.00'],
      ['Seeds', '7.25'],
    ],
    total: ['Total', '$19.25'],
    font: 'DejaVu Sans',
    style: 'boxed',
  },
  {
    file: 'invoices/03-north-print.png',
    head: 'North Print',
    lines: ['Invoice 5530', 'Date: 12 May 2024'],
    rows: [
      ['Posters', '80.00'],
      ['Cards', '35.00'],
    ],
    total: ['Total', '$115.00'],
    font: 'Liberation Sans',
    style: 'letter',
  },
  {
    file: 'invoices/04-city-clean.png',
    head: 'City Clean',
    lines: ['Invoice 907', 'Date: 06/21/2024'],
    rows: [
      ['Windows', '45.00'],
      ['Floor', '30.00'],
    ],
    total: ['Total', '$75.00'],
    font: 'DejaVu Sans',
    style: 'boxed',
  },
  {
    file: 'invoices/05-blue-lake-fish.png',
    head: 'Blue Lake Fish',
    lines: ['Invoice 3312', 'Date: 2024-07-15'],
    rows: [
      ['Salmon', '27.30'],
      ['Trout', '18.60'],
    ],
    total: ['Total', '$45.90'],
    font: 'DejaVu Sans',
    style: 'boxed',
  },
  {
    file: 'invoices/06-star-books.png',
    head: 'Star Books',
    lines: ['Invoice 8215', 'Date: 08/14/2024'],
    rows: [
      ['Atlas', '32.00'],
      ['Novel', '14.90'],
    ],
    total: ['Total', '$46.90'],
    font: 'Liberation Sans',
    style: 'boxed',
  },
  {
    file: 'images/cafe-receipt.png',
    head: 'CAFE LINDEN',
    lines: ['12 Park Street', '2024-09-14  10:42'],
    rows: [
      ['Coffee', '3.80'],
      ['Croissant', '2.60'],
      ['Juice', '4.10'],
    ],
    total: ['TOTAL', '$10.50'],
    end: 'Thank you!',
    font: 'DejaVu Sans Mono',
    style: 'receipt',
  },
  {
    file: 'images/cafe-receipt-zh.png',
    head: '榕树咖啡',
    lines: ['2024-09-14  10:42'],
    rows: [
      ['咖啡', '28.00'],
      ['面包', '12.00'],
      ['果汁', '18.00'],
    ],
    total: ['总计', '¥58.00'],
    end: '谢谢光临',
    font: 'Noto Sans CJK SC',
    style: 'receipt',
  },
  {
    file: 'images/delivery-note.png',
    head: 'Delivery Note',
    lines: ['Order: DN-4821', 'Date: 2024-10-03', 'To: Anna Berg'],
    rows: [
      ['Chairs', '4'],
      ['Lamps', '2'],
      ['Desk', '1'],
    ],
    total: ['Boxes', '7'],
    font: 'Liberation Sans',
    style: 'boxed',
  },
  {
    file: 'images/delivery-note-zh.png',
    head: '送货单',
    lines: ['单号：SH-735', '日期：2024-08-16'],
    rows: [
      ['椅子', '4'],
      ['台灯', '2'],
      ['书桌', '1'],
    ],
    total: ['件数', '7'],
    font: 'Noto Sans CJK SC',
    style: 'boxed',
  },
];

const css = `
  * { margin: 0; box-sizing: border-box; }
  body { width: 560px; padding: 34px 38px; background: #fdfcf8; color: #1c1c1c; font-size: 36px; line-height: 1.42; }
  h1 { font-size: 50px; line-height: 1.25; }
  .row { display: flex; justify-content: space-between; }
  .total { font-weight: bold; margin-top: 10px; padding-top: 10px; border-top: 3px solid #333; }
  .receipt h1, .receipt p { text-align: center; }
  .receipt .row:first-of-type { margin-top: 14px; border-top: 3px dashed #777; padding-top: 14px; }
  .letter h1 { color: #17436b; border-bottom: 5px solid #17436b; margin-bottom: 16px; padding-bottom: 8px; }
  .letter .rows, .boxed .rows { margin-top: 18px; }
  .boxed h1 { background: #2e5d43; color: #fff; margin: -34px -38px 18px; padding: 20px 38px; }
  .boxed .rows { border: 3px solid #bbb; padding: 14px 18px; border-radius: 8px; }
  .end { text-align: center; margin-top: 16px; }`;

const row = ([left, right]: Row, name = '') =>
  `<div class="row ${name}"><span>${left}</span><span>${right}</span></div>`;
const html = ({ head, lines, rows, total, end, font, style }: Sheet) =>
  `<meta charset="utf-8"><style>${css} body { font-family: '${font}', sans-serif; }</style><body class="${style}">
  <h1>${head}</h1>${lines.map((line) => `<p>${line}</p>`).join('')}
  <div class="rows">${rows.map((each) => row(each)).join('')}${row(total, 'total')}</div>
  ${end === undefined ? '' : `<p class="end">${end}</p>`}`;

const browser = await launchChromium();
const page = await browser.newPage({ viewport: { width: 560, height: 100 } });
for (const sheet of sheets) {
  const file = path.join(folder, sheet.file);
  mkdirSync(path.dirname(file), { recursive: true });
  await page.setContent(html(sheet));
  await page.screenshot({ path: file, fullPage: true });
}
await browser.close();
