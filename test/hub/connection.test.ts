/** A source with a self-signed certificate. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { certificateAuthorities } from '../../src/hub/connection.ts';
import { pull } from '../../src/hub/pull.ts';
import { FILES, pullOptions, Source } from './source.ts';

const NAME = 'hf:THUDM/cogvlm2-llama3-chat-19B';
const folder = mkdtempSync(path.join(os.tmpdir(), 'certificates-'));
afterAll(() => rmSync(folder, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

function selfSigned() {
  const key = path.join(folder, 'key.pem');
  const cert = path.join(folder, 'cert.pem');
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2', ...subject],
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key), cert: readFileSync(cert), file: cert };
}

describe.skipIf(!hasOpenssl)('a source with its own certificate (skipped without openssl)', () => {
  it('is refused with the remedy, and read with any of the variables', async () => {
    const { file, ...tls } = selfSigned();
    await using source = await Source.open(FILES, tls);
    const { env } = pullOptions(source);
    const run = (more: Record<string, string>) =>
      pull(NAME, pullOptions(source, { source: 'huggingface', env: { ...env, ...more } }));
    await expect(run({})).rejects.toMatchObject({
      message: expect.stringMatching(/certificate is self-signed\. Set SSL_CERT_FILE/),
    });
    for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'])
      await run({ [name]: file, HF_HOME: path.join(source.folder, name) });
  });
});

it('the variables are checked', () => {
  expect(certificateAuthorities({})).toBeUndefined();
  const empty = path.join(folder, 'empty.pem');
  writeFileSync(empty, '');
  expect(() => certificateAuthorities({ SSL_CERT_FILE: empty })).toThrow(/contains no PEM certificate/);
  expect(() => certificateAuthorities({ SSL_CERT_FILE: '/nowhere/x.pem' })).toThrow(
    /SSL_CERT_FILE is \/nowhere\/x.pem, which cannot be read \(ENOENT\)/,
  );
});
