/**
 * Connection settings: the proxy (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, in upper or lower case) and the
 * certificate authorities.
 */
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { CogVLM2Error } from '../errors.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** @throws CogVLM2Error `invalid_value` for a proxy of another protocol, such as SOCKS. */
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
    `${name} is "${withoutUser(value)}", but a proxy must be http://HOST:PORT or https://HOST:PORT. Change it, or add ${url.hostname} to NO_PROXY.`,
  );
}

/** Messages must not contain the password of a proxy. */
function withoutUser(proxy: string): string {
  return proxy.replace(/^(\w+:\/\/)?.*@/, '$1');
}

/**
 * `example.com`, `.example.com` and `*.example.com` cover the host and its subdomains; `10.0.0.0/8` and `fd00::/8`
 * cover the addresses of a network. A port, as in `example.com:8080` or `[::1]:8080`, limits an entry to it.
 */
function isExempt(url: URL, list: string): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || covers(entry, host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  const bare = ipaddr.isValid(entry) || ipaddr.isValidCIDR(entry);
  const [, name = '', only] = (bare ? null : /^(.*?)(?::(\d+))?$/.exec(entry)) ?? [entry, entry];
  if (only !== undefined && only !== port) return false;
  const covered = name.replace(/^\[|\]$/g, '');
  if (ipaddr.isValid(host)) return coversAddress(covered, host);
  // As in a URL: lower case, and ASCII for Chinese domain names.
  const domain = domainToASCII(covered.replace(/^\*?\./, ''));
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
}

/** An IPv4 address and its form as an IPv6 address are the same address. */
function coversAddress(covered: string, host: string): boolean {
  const address = ipaddr.process(host);
  if (ipaddr.isValidCIDR(covered)) {
    const [network, bits] = ipaddr.parseCIDR(covered);
    return network.kind() === address.kind() && address.match(network, bits);
  }
  return ipaddr.isValid(covered) && ipaddr.process(covered).toString() === address.toString();
}

// Certificate authorities in addition to those of Node.js, for proxies and mirrors with their own certificates.

/** The variables of Python's tools and curl, and Node's own variable, which Node ignores when `ca` is given. */
const VARIABLES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];

/**
 * PEM texts of Node's authorities and of those that the environment names; undefined if it names none.
 * @throws CogVLM2Error `file_not_found`, `invalid_value` for a file without a certificate
 */
export function certificateAuthorities(env: NodeJS.ProcessEnv): string[] | undefined {
  const named = VARIABLES.filter((name) => env[name]);
  if (named.length === 0) return undefined;
  return [...rootCertificates, ...named.map((name) => readPem(name, env[name] ?? ''))];
}

function readPem(name: string, file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new CogVLM2Error('file_not_found', `${name} is ${file}, which cannot be read (${code}).`, {
      cause,
    });
  }
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
  throw new CogVLM2Error('invalid_value', `${name} is ${file}, which contains no PEM certificate.`);
}

const PROBLEMS: Partial<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
};

/** The problem of a certificate and its remedy; undefined for other errors. */
export function certificateProblem(code: string): string | undefined {
  const problem = PROBLEMS[code];
  if (problem !== undefined) {
    return `${problem}. Set SSL_CERT_FILE (or NODE_EXTRA_CA_CERTS) to a PEM file with the authority's certificate; a company's proxy may need it`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'its certificate is not valid today. Check the clock of this machine';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another host';
  return undefined;
}
