import { describe, expect, it } from 'vitest';
import { ApiKeys, isAllowedHost, isAllowedOrigin, isLoopback } from '../../src/server/access.ts';
import { isGlobalAddress } from '../../src/server/image-fetch.ts';

describe('API keys', () => {
  const keys = new ApiKeys(['first-key', 'second-key']);

  it('finds a key in either header, and gives it a name that does not reveal it', () => {
    const first = keys.clientOf('Bearer first-key', undefined);
    expect(keys.clientOf(undefined, 'first-key')).toBe(first);
    expect(keys.clientOf('bearer second-key', undefined)).not.toBe(first);
    expect(first).toMatch(/^key [0-9a-f]{8}$/);
  });

  it.each([
    [undefined, undefined],
    ['Bearer third-key', undefined],
    ['Bearer first-ke', undefined],
    ['Basic first-key', undefined],
    [undefined, ''],
    ['Bearer ', 'first-key '],
  ])('refuses %j and %j', (authorization, xApiKey) => {
    expect(() => keys.clientOf(authorization, xApiKey)).toThrow(/Authorization: Bearer KEY/);
  });
});

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['192.168.1.2', false],
  ['127.example.com', false],
])('%s is loopback: %s', (host, is) => {
  expect(isLoopback(host)).toBe(is);
});

it.each([
  ['localhost:8000', true],
  ['LOCALHOST', true],
  ['127.0.0.1:8000', true],
  ['[::1]:8000', true],
  ['my.localhost:8000', true],
  ['host.docker.internal:8000', true],
  ['box.lan', true],
  ['evil.example', false],
  ['localhost.evil.example', false],
  ['evil.example:8000', false],
  ['localhost:8000@evil.example', false],
  ['', false],
  [undefined, false],
])('the Host %j is accepted: %s', (header, is) => {
  expect(isAllowedHost(header, ['box.lan'])).toBe(is);
});

it.each([
  [undefined, 'localhost:8000', true],
  ['http://localhost:8000', 'localhost:8000', true],
  ['https://chat.example', 'localhost:8000', true],
  ['http://chat.example', 'localhost:8000', false],
  ['http://localhost:3000', 'localhost:8000', false],
  ['null', 'localhost:8000', false],
  ['file://localhost:8000', 'localhost:8000', false],
])('a page of %j may use the server at %j: %s', (origin, host, is) => {
  expect(isAllowedOrigin(origin, host, ['https://chat.example'])).toBe(is);
});

it.each([
  ['93.184.216.34', true],
  ['2606:2800:220:1:248:1893:25c8:1946', true],
  ['10.0.0.5', false],
  ['127.0.0.1', false],
  ['169.254.169.254', false],
  ['172.16.0.1', false],
  ['192.168.0.1', false],
  ['168.63.129.16', false],
  ['100.64.0.1', false],
  ['0.0.0.0', false],
  ['198.18.0.1', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::1', false],
  ['::', false],
  ['::ffff:93.184.216.34', false],
  ['::ffff:10.0.0.5', false],
  ['64:ff9b::a00:5', false],
  ['2002:a00:5::', false],
  ['2001:db8::1', false],
  ['fe80::1', false],
  ['fc00::1', false],
  ['ff02::1', false],
  ['4000::1', false],
  ['evil.example', false],
])('%s is a public address: %s', (address, is) => {
  expect(isGlobalAddress(address)).toBe(is);
});
