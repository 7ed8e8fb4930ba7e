/** Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case. */

type Env = Readonly<Record<string, string | undefined>>;

export function proxyFor(url: URL, env: Env): string | undefined {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  if (isExempt(url, read('NO_PROXY') ?? '')) return undefined;
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') ?? read('ALL_PROXY');
  if (proxy === undefined) return undefined;
  return /^\w+:\/\//.test(proxy) ? proxy : `http://${proxy}`;
}

/** `example.com`, `.example.com` and `*.example.com` cover the host and all below it; a port limits an entry to it. */
function isExempt(url: URL, list: string): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, host = '', only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
      const domain = host.replace(/^\*?\./, '');
      if (only !== undefined && only !== port) return false;
      return url.hostname === domain || url.hostname.endsWith(`.${domain}`);
    });
}
