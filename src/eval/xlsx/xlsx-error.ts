/** What is wrong with a workbook, in words that go on after "cannot be read:". */
export class XlsxError extends Error {}
