/** Which proxy a request goes through: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in either case. */
import { CogVLM2Error } from '../errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws CogVLM2Error `invalid_value` for a proxy of another protocol, SOCKS above all. */
export function proxyFor(url: URL, env: Env): string | undefined {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  if (isExempt(url, read('NO_PROXY') ?? '')) return undefined;
  const names = [url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY', 'ALL_PROXY'];
  const name = names.find((name) => read(name) !== undefined);
  if (name === undefined) return undefined;
  const value = read(name) ?? '';
  const proxy = /^\w+:\/\//.test(value) ? value : `http://${value}`;
  if (/^https?:/i.test(proxy) && URL.canParse(proxy)) return proxy;
  throw new CogVLM2Error(
    'invalid_value',
    `${name} is "${withoutUser(value)}", but a proxy is given as http://HOST:PORT or https://HOST:PORT. Set it so, or name ${url.hostname} in NO_PROXY.`,
  );
}

/** The password of a proxy is not for a screen. */
function withoutUser(proxy: string): string {
  return proxy.replace(/^(\w+:\/\/)?.*@/, '$1');
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
