/** Environment variables for sources, tokens and proxies. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxyFor } from '../../src/hub/connection.ts';
import { huggingFaceEndpoint, huggingFaceToken, modelScopeEndpoint } from '../../src/hub/sources.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A wrong setting is an error with code invalid_value and the name of the variable. */
const wrong = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_value', message: expect.stringMatching(message) });

describe('the address of a source', () => {
  it('may end with a slash', () => {
    expect(huggingFaceEndpoint({ HF_ENDPOINT: 'https://mirror.example/' })).toBe('https://mirror.example');
  });

  it.each(['mirror.example', 'ftp://mirror.example', 'https://'])('is not "%s"', (HF_ENDPOINT) => {
    expect(() => huggingFaceEndpoint({ HF_ENDPOINT })).toThrow(
      wrong(new RegExp(`HF_ENDPOINT is "${HF_ENDPOINT}"`)),
    );
  });

  it('is a host or an address for ModelScope', () => {
    expect(modelScopeEndpoint({ MODELSCOPE_DOMAIN: 'mirror.example' })).toBe('https://mirror.example');
    expect(modelScopeEndpoint({ MODELSCOPE_DOMAIN: 'http://mirror.example/' })).toBe('http://mirror.example');
    expect(() => modelScopeEndpoint({ MODELSCOPE_DOMAIN: 'a b' })).toThrow(wrong(/MODELSCOPE_DOMAIN/));
  });
});

describe('the token', () => {
  const file = path.join(folder, 'token');

  it('is that of the environment, or that of the login', () => {
    writeFileSync(file, 'of-login\n');
    expect(huggingFaceToken({ HF_HOME: folder })).toBe('of-login');
    expect(huggingFaceToken({ HF_HOME: folder, HF_TOKEN: ' mine ' })).toBe('mine');
    expect(huggingFaceToken({ HF_HOME: folder, HUGGING_FACE_HUB_TOKEN: 'older' })).toBe('older');
    expect(huggingFaceToken({ HF_HOME: '/nowhere', HF_TOKEN_PATH: file })).toBe('of-login');
  });

  it('is ignored if it is blank', () => {
    expect(huggingFaceToken({ HF_HOME: '/nowhere', HF_TOKEN: '  ' })).toBeUndefined();
  });

  it('is refused if a header cannot contain it, and is not shown', () => {
    expect(() => huggingFaceToken({ HF_TOKEN: 'se\ncret' })).toThrow(
      wrong(/^HF_TOKEN contains no valid token(?!.*cret)/),
    );
    writeFileSync(file, 'ключ');
    expect(() => huggingFaceToken({ HF_HOME: folder })).toThrow(wrong(new RegExp(file)));
  });
});

describe('a proxy', () => {
  const source = new URL('https://huggingface.co/api');

  it('is a host and a port, with or without a protocol', () => {
    expect(proxyFor(source, { HTTPS_PROXY: 'proxy:3128' })).toBe('http://proxy:3128');
    expect(proxyFor(source, { ALL_PROXY: 'https://proxy:3128' })).toBe('https://proxy:3128');
    expect(proxyFor(source, { HTTP_PROXY: 'proxy:3128' })).toBeUndefined();
  });

  it('of another protocol is refused, and its password is not shown', () => {
    const env = { ALL_PROXY: 'socks5://me:secret@proxy:1080' };
    expect(() => proxyFor(source, env)).toThrow(wrong(/ALL_PROXY is "socks5:\/\/proxy:1080"/));
    expect(proxyFor(source, { ...env, NO_PROXY: 'huggingface.co' })).toBeUndefined();
    expect(proxyFor(source, { ...env, HTTPS_PROXY: 'proxy:3128' })).toBe('http://proxy:3128');
  });

  it.each([
    ['https://10.1.2.3/', '10.0.0.0/8'],
    ['https://[fd12::3]/', 'fd00::/8'],
    ['https://[::1]/', '::1'],
    ['https://[0:0::1]:8443/', '[::1]:8443'],
    ['http://127.0.0.1:80/', 'localhost,127.0.0.1:80'],
    ['https://镜像.例子.中国/', '例子.中国'],
    ['https://xn--fsqu00a.xn--fiqs8s/', '例子.中国'],
    ['https://HUB.Example/', '*.EXAMPLE'],
  ])('is not used for %s with NO_PROXY=%s', (url, NO_PROXY) => {
    expect(proxyFor(new URL(url), { ALL_PROXY: 'http://proxy:3128', NO_PROXY })).toBeUndefined();
  });

  it.each([
    ['https://11.1.2.3/', '10.0.0.0/8'],
    ['https://[fe12::3]/', 'fd00::/8,10.0.0.0/8'],
    ['https://[::1]:8444/', '[::1]:8443'],
    ['https://notexample.com/', 'example.com'],
    ['https://example.com/', '1.0.0.0/8,/,:,[,]'],
  ])('is used for %s with NO_PROXY=%s', (url, NO_PROXY) => {
    expect(proxyFor(new URL(url), { ALL_PROXY: 'http://proxy:3128', NO_PROXY })).toBe('http://proxy:3128');
  });
});
