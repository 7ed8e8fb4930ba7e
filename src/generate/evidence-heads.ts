/** Which attention heads show where a model reads. */

export interface EvidenceHead {
  layer: number;
  /** Of the queries. */
  head: number;
  /** `next`: a row attends to where the next token is read. `last`: to where its own token was read. */
  reads: 'next' | 'last';
}

/**
 * The demo model was trained to point with these heads (training/loss.py). Of the published models nothing is known, and their
 * weights were not tried: all heads of the third quarter of the layers, in which the answers of such models are known to be formed.
 */
export function evidenceHeads(config: { layers: number; heads: number }, isDemo: boolean): EvidenceHead[] {
  if (isDemo) return demoHeads;
  const [first, end] = [Math.floor(config.layers / 2), Math.ceil((config.layers * 3) / 4)];
  return Array.from({ length: end - first }, (_, i) =>
    Array.from({ length: config.heads }, (_, head) => ({ layer: first + i, head, reads: 'next' as const })),
  ).flat();
}

const demoHeads: EvidenceHead[] = [
  { layer: 1, head: 0, reads: 'last' },
  { layer: 2, head: 0, reads: 'next' },
  { layer: 3, head: 0, reads: 'next' },
];
