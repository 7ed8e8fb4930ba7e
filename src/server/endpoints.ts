/** The paths that there are, and the methods that each takes. */
const METHODS: Partial<Record<string, string>> = {
  '/': 'GET, HEAD',
  '/livez': 'GET, HEAD',
  '/health': 'GET, HEAD',
  '/v1/health': 'GET, HEAD',
  '/metrics': 'GET, HEAD',
  '/props': 'GET, HEAD',
  '/slots': 'GET, HEAD',
  '/v1/models': 'GET, HEAD',
  '/v1/models/:id': 'GET, HEAD',
  '/v1/chat/completions': 'POST',
  '/v1/chat/completions/input_tokens': 'POST',
  '/v1/cancel/:id': 'POST',
  '/tokenize': 'POST',
  '/detokenize': 'POST',
};

export const PATHS: readonly string[] = Object.keys(METHODS);

/** Answered without a key: what probes ask for, and the page, which asks for the key itself. */
const PUBLIC = new Set(['/', '/health', '/v1/health', '/livez']);

export function isPublic(path: string): boolean {
  return PUBLIC.has(path);
}

/** A path as one of a few words, for the metrics. */
export function endpointOf(path: string): string {
  const general = path.replace(/^(\/v1\/(?:models|cancel)\/).+$/, '$1:id');
  return general in METHODS ? general : 'other';
}

/** As the header `allow` has them; undefined where there is nothing. */
export function methodsOf(path: string): string | undefined {
  return METHODS[endpointOf(path)];
}
