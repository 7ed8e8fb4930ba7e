/** The 30 subjects of MMMU in their six domains, as the benchmark reports them. */
import { optionalText, type Row } from '../row.ts';

const domains: Readonly<Record<string, string>> = {
  'Art and Design': 'Art Art_Theory Design Music',
  Business: 'Accounting Economics Finance Manage Marketing',
  Science: 'Biology Chemistry Geography Math Physics',
  'Health and Medicine':
    'Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health',
  'Humanities and Social Science': 'History Literature Psychology Sociology',
  'Tech and Engineering':
    'Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials Mechanical_Engineering',
};

const domainOf = new Map(
  Object.entries(domains).flatMap(([domain, subjects]) =>
    subjects.split(' ').map((subject): [string, string] => [subject, domain]),
  ),
);

/** A row's domain and subject; the subject stands in the id where there is no column for it. */
export function subjectsOf(row: Row): string[] {
  const [, fromId] = /^(?:dev|validation|test)_(.+)_\d+$/.exec(optionalText(row, 'id') ?? '') ?? [];
  const subject = (optionalText(row, 'category') ?? fromId)?.replaceAll(' ', '_');
  const domain = subject === undefined ? undefined : domainOf.get(subject);
  return [domain, subject].filter((name) => name !== undefined);
}
