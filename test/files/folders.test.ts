import os from 'node:os';
import { afterEach, expect, test, vi } from 'vitest';
import { stateDirectory, userCacheDirectory } from '../../src/files/folders.ts';

afterEach(() => vi.restoreAllMocks());

test.each<[Record<string, string>, NodeJS.Platform, string]>([
  [{ HOME: '/home/ann' }, 'linux', '/home/ann/.cache'],
  [{ HOME: '/home/ann', XDG_CACHE_HOME: '/var/ann' }, 'linux', '/var/ann'],
  [{ HOME: '/home/ann', XDG_CACHE_HOME: 'relative' }, 'freebsd', '/home/ann/.cache'],
  [{ HOME: '/Users/ann', XDG_CACHE_HOME: '/var/ann' }, 'darwin', '/Users/ann/Library/Caches'],
])('%j on %s', (env, platform, directory) => {
  expect(userCacheDirectory(env, platform)).toBe(directory);
});

test('the cache of a Windows user is in %LOCALAPPDATA%', () => {
  expect(userCacheDirectory({ LOCALAPPDATA: '/data/local' }, 'win32')).toBe('/data/local');
});

test('the state of a Windows user is in %LOCALAPPDATA%; the state of other users is in ~/.local/state', () => {
  expect(stateDirectory({ LOCALAPPDATA: '/data/local', HOME: '/home/ann' }, 'win32')).toBe(
    '/data/local/cogvlm2',
  );
  expect(stateDirectory({ LOCALAPPDATA: '/data/local', HOME: '/home/ann' }, 'linux')).toBe(
    '/home/ann/.local/state/cogvlm2',
  );
  expect(stateDirectory({ XDG_STATE_HOME: '/state', HOME: '/home/ann' }, 'darwin')).toBe('/state/cogvlm2');
});

test('a user without a home has no folders, unless a variable names one', () => {
  vi.spyOn(os, 'homedir').mockImplementation(() => {
    throw new Error('uv_os_homedir returned ENOENT');
  });
  expect(userCacheDirectory({}, 'linux')).toBeNull();
  expect(userCacheDirectory({}, 'darwin')).toBeNull();
  expect(userCacheDirectory({ XDG_CACHE_HOME: '/var/ann' }, 'linux')).toBe('/var/ann');
});
