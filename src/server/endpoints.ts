/** The endpoints of the app, read from its routes: for the header `allow`, for hints, and for metric labels. */
import type { App } from './app-parts.ts';

export interface Endpoints {
  /** Their patterns, such as `/v1/models/:id`. */
  paths: readonly string[];
  /** The pattern that a path matches, or `other`. */
  patternOf(path: string): string;
  /** As in the header `allow`; undefined for an unknown path. */
  methodsOf(path: string): string | undefined;
}

const cache = new WeakMap<App, Endpoints>();

/** Call this only after all routes were added. */
export function endpointsOf(app: App): Endpoints {
  const endpoints = cache.get(app) ?? readRoutes(app);
  cache.set(app, endpoints);
  return endpoints;
}

function readRoutes(app: App): Endpoints {
  const methods = new Map<string, Set<string>>();
  for (const { method, path } of app.routes) {
    if (method === 'ALL') continue; // middleware
    const pattern = path.replaceAll(/\{.*?\}/g, '');
    const taken = methods.get(pattern) ?? new Set();
    methods.set(pattern, taken.add(method));
    if (method === 'GET') taken.add('HEAD');
  }
  const patterns = [...methods.keys()].map((pattern) => ({
    pattern,
    regExp: new RegExp(`^${pattern.replaceAll(/:\w+$/g, '.+')}/?$`),
  }));
  const find = (path: string) => patterns.find(({ regExp }) => regExp.test(path))?.pattern;
  return {
    paths: [...methods.keys()],
    patternOf: (path) => find(path) ?? 'other',
    methodsOf(path) {
      const pattern = find(path);
      return pattern === undefined ? undefined : [...methods.get(pattern)!].join(', ');
    },
  };
}

/** These need no API key: probes, and the page, which asks for the key itself. */
const PUBLIC_PATHS = new Set(['/', '/health', '/v1/health', '/livez']);

export function isPublic(path: string): boolean {
  return PUBLIC_PATHS.has(path);
}
