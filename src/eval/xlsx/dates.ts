/** Dates are numbers of days, which the style of their cell shows as dates. */

/** Of the formats that have numbers only and no text, those of dates and times (ECMA-376, 18.8.30). */
function isBuiltIn(id: number): boolean {
  return (id >= 14 && id <= 22) || id === 45 || id === 47;
}

/** Durations (`[h]:mm`) stay numbers. */
export function isDateFormat(id: number, code: string | undefined): boolean {
  if (code === undefined) return isBuiltIn(id);
  if (/\[(?:h+|m+|s+)\]/i.test(code)) return false;
  const [positive = ''] = code.replace(/"[^"]*"|\\.|[_*].|\[[^\]]*\]/g, '').split(';');
  return !/general/i.test(positive) && /[dmhys]/i.test(positive);
}

const dayMs = 86_400_000;

/** "2024-01-02 03:04:05", as Python writes what openpyxl reads; "03:04:05" for a time of no day. */
export function dateText(days: number, since1904: boolean): string {
  // The calendar of 1900 has a 29th of February that never was.
  const shift = !since1904 && days > 0 && days < 60 ? 1 : 0;
  const start = since1904 ? Date.UTC(1904, 0, 1) : Date.UTC(1899, 11, 30);
  const date = new Date(start + Math.round((days + shift) * dayMs));
  if (Number.isNaN(date.getTime())) return String(days);
  const [day, time] = date.toISOString().slice(0, -1).split('T') as [string, string];
  const seconds = time.endsWith('.000') ? time.slice(0, -4) : `${time}000`;
  return days >= 0 && days < 1 ? seconds : `${day} ${seconds}`;
}
