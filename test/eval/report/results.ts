/** Small invented results files for the tests of the report. */
import type { Results } from '../../../src/eval/predictions/schema.ts';

export type Overrides = Partial<Omit<Results, 'settings'>> & {
  types?: Record<string, number>;
  name?: string;
};

export function resultsOf({ types = { bf16: 9, f32: 1 }, name = 'demo', ...more }: Overrides = {}): Results {
  const benchmark = more.benchmark ?? 'textvqa';
  return {
    kind: 'cogvlm2-results',
    version: 1,
    benchmark,
    profile: 'official',
    score: 50,
    parts: [],
    questions: 2,
    undecided: 0,
    refused: 0,
    reencodedImages: 0,
    empty: 0,
    broken: 0,
    judge: null,
    settings: {
      benchmark,
      data: { name: `${benchmark}.tsv`, sizeBytes: 1, fingerprint: 'f00d' },
      subset: null,
      model: { kind: 'checkpoint', name, types, sizeBytes: 10, fingerprint: 'beef', compute: 'auto' },
      profile: more.profile ?? 'official',
      template: 'vqa',
      images: 'first',
      maxTokens: null,
      temperature: 0,
      topK: null,
      topP: null,
      seed: null,
    },
    rows: [
      {
        id: '1',
        row: 0,
        question: 'What brand?',
        answers: ['nokia', 'nokia'],
        prediction: 'nokia',
        score: 1,
      },
      { id: '2', row: 1, question: 'How many?', answers: ['5'], prediction: '<b>6</b> & more', score: 0 },
    ],
    ...more,
  };
}
