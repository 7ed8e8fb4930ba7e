/** Shell patterns, for a pattern in quotes: `*`, `?`, `[a-z]`, `{png,jpg}` within a name, `**` across folders. */

export function isGlob(text: string): boolean {
  return /[*?[{]/.test(text);
}

/** The folder that the walk begins in: the part before the first pattern. */
export function globRoot(pattern: string): string {
  const fixed = pattern.split('/');
  const first = fixed.findIndex(isGlob);
  return fixed.slice(0, first).join('/') || (pattern.startsWith('/') ? '/' : '.');
}

/** Matches whole paths with `/` between names. As in a shell, `*` does not match a leading dot. */
export function globExpression(pattern: string): RegExp {
  let source = '';
  let braces = 0;
  for (let at = 0; at < pattern.length; at++) {
    const rest = pattern.slice(at);
    const startsName = at === 0 || pattern[at - 1] === '/';
    const set = /^\[([!^]?)([^\]/]+)\]/.exec(rest);
    if (startsName && rest.startsWith('**/')) {
      source += '(?:(?!\\.)[^/]+/)*';
      at += 2;
    } else if (startsName && rest === '**') {
      source += '(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+';
      at += 1;
    } else if (rest[0] === '*') source += startsName ? '(?!\\.)[^/]*' : '[^/]*';
    else if (rest[0] === '?') source += startsName ? '[^/.]' : '[^/]';
    else if (set !== null) {
      source += `[${set[1] === '' ? '' : '^'}${set[2]!.replaceAll(/[\\\]^[]/g, '\\$&')}]`;
      at += set[0].length - 1;
    } else if (rest[0] === '{' && rest.includes('}')) {
      source += '(?:';
      braces++;
    } else if (rest[0] === '}' && braces > 0) {
      source += ')';
      braces--;
    } else if (rest[0] === ',' && braces > 0) source += '|';
    else source += rest[0]!.replace(/[\\^$.|?*+()[\]{}]/, '\\$&');
  }
  return new RegExp(`^${source}$`, 'u');
}
