/** The chat page: one built file that is read once, with a policy that allows only its own code. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

export interface Page {
  html: string;
  headers: Record<string, string>;
}

/** The path is the same from src/ and from dist/. */
const BUILT_PAGE = new URL('../../dist/web/index.html', import.meta.url);

export function readPage(file: URL = BUILT_PAGE): Page {
  const html = existsSync(file)
    ? readFileSync(file, 'utf8')
    : '<!doctype html><title>cogvlm2</title><p>The chat page is not built; the API is under /v1.</p>';
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-cache',
      // A weak tag, because the compressed page is equivalent.
      etag: `W/"${sha256(html, 'hex')}"`,
      'content-security-policy': policyOf(html),
      'x-frame-options': 'DENY',
    },
  };
}

/** Allows the scripts and styles of the page by their hashes, images of the user, and requests to this server. */
function policyOf(html: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashesOf(html, 'script')}`,
    `style-src ${hashesOf(html, 'style')}`,
    "img-src 'self' data: blob:",
    'media-src blob:',
    "connect-src 'self'",
    'manifest-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function hashesOf(html: string, element: 'script' | 'style'): string {
  const contents = [...html.matchAll(new RegExp(`<${element}\\b[^>]*>(.*?)</${element}>`, 'gs'))].map(
    (m) => m[1] ?? '',
  );
  return contents.length === 0
    ? "'none'"
    : contents.map((text) => `'sha256-${sha256(text, 'base64')}'`).join(' ');
}

function sha256(text: string, encoding: 'hex' | 'base64'): string {
  return createHash('sha256').update(text).digest(encoding);
}
