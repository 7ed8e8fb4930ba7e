/** Git LFS pointers: the few lines of text that a clone without Git LFS has in the place of a large file. */

const firstLine = 'version https://git-lfs.github.com/spec/';

/**
 * What to say about a file that begins with these bytes, to be put behind "FILE is "; undefined when it is no pointer.
 * The format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export function lfsPointerIn(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  if (!text.startsWith(firstLine)) return undefined;
  const size = /^size (\d+)\s*$/m.exec(text)?.[1];
  const whole = size === undefined ? 'a file' : `a file of ${Number(size).toLocaleString('en-US')} bytes`;
  return `a Git LFS pointer to ${whole}: run \`git lfs pull\` in its repository`;
}
