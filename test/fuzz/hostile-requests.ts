/** Requests with strange headers and bodies, for every route of the server, as bytes for a socket. */

const ROUTES = [
  'GET /',
  'GET /livez',
  'GET /health',
  'GET /slots',
  'GET /metrics',
  'GET /props',
  'GET /v1/models',
  'GET /v1/models/demo',
  'POST /tokenize',
  'POST /detokenize',
  'POST /v1/pages',
  'POST /v1/cancel/x',
  'POST /v1/chat/completions',
  'POST /v1/chat/completions/input_tokens',
  'POST /v1/responses',
  'POST /v1/responses/input_tokens',
];

const boundary = '--b\r\nContent-Disposition: form-data; name="a"; filename="../../etc/passwd"\r\n\r\n';
const hostile = 'a'.repeat(12_000);

/** Header lines, and the body or null. */
const TRICKS: readonly (readonly [headers: string, body: string | null])[] = [
  ['Content-Type: multipart/form-data; boundary=b', boundary.repeat(1_000)],
  ['Content-Type: multipart/form-data', '--'],
  ['Content-Type: application/x-www-form-urlencoded', 'a[]=1&'.repeat(10_000)],
  ['Content-Type: application/json; charset=utf-16', '\xff\xfe{\x00}\x00'],
  ['Content-Type: application/json', '{"__proto__":{"messages":[]},"constructor":{"prototype":{}}}'],
  ['Content-Type: application/json', '{"messages":[{"role":"user","content":"\\ud800"}],"max_tokens":1}'],
  ['Content-Type: application/json', '{"messages":[{"role":"user","content":"\xff\xfe"}],"max_tokens":1}'],
  ['Content-Type: application/json', '{"content":"\\u0000\\u0000","tokens":[0]}'],
  ['Content-Encoding: br, gzip', '{}'],
  ['Range: bytes=0-0,1-1,2-2', null],
  [`If-None-Match: ${hostile}`, null],
  [`Accept-Language: ${'*;q=0.1,'.repeat(1_500)}`, '{}'],
  [`Accept-Encoding: ${'gzip;q=0,'.repeat(1_300)}`, null],
  [`X-Forwarded-For: ${'::1,'.repeat(3_000)}`, '{}'],
  [`X-Request-Id: ${hostile}`, '{}'],
  ['X-Request-Id: a\tb', '{}'],
  [`Authorization: Bearer ${hostile}`, '{}'],
  ['Origin: null', '{}'],
  ['Origin: http://[::1', '{}'],
  ['X-HTTP-Method-Override: DELETE', '{}'],
  ['Cookie: a=b; __proto__=c', '{}'],
  ['Trailer: Host', '{}'],
  ['Connection: keep-alive, host, content-length', '{}'],
  ['Host: evil.example', '{}'],
];

/** @returns the bytes of each request, and its route */
export function hostileRequests(): { route: string; bytes: string }[] {
  return ROUTES.flatMap((route) =>
    TRICKS.map(([headers, body]) => {
      const length = body === null ? '' : `Content-Length: ${body.length}\r\n`;
      const head = `${route} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${length}${headers}\r\n\r\n`;
      return { route, bytes: head + (body ?? '') };
    }),
  );
}
