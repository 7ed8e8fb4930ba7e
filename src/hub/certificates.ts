/** Certificate authorities beyond those of Node.js: of companies whose proxies and mirrors sign for themselves. */
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import { CogVLM2Error } from '../errors.ts';

/** What the hub's own Python tools and curl read, and Node's variable, which Node ignores once others are given. */
const VARIABLES = ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'];

/**
 * Node's authorities and those of the environment as PEM texts; undefined where the environment names none.
 * @throws CogVLM2Error `file_not_found`, `invalid_value` for a file that holds no certificate
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
  throw new CogVLM2Error('invalid_value', `${name} is ${file}, which holds no PEM certificate.`);
}

const PROBLEMS: Partial<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by an unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is signed by an unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by an unknown authority',
};

/** What is wrong with a certificate, and what to do; undefined for other errors. */
export function certificateProblem(code: string): string | undefined {
  const problem = PROBLEMS[code];
  if (problem !== undefined) {
    return `${problem}. Set SSL_CERT_FILE (or NODE_EXTRA_CA_CERTS) to a PEM file with the authority's certificate; a company's proxy may need that`;
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return 'its certificate is not valid today. Check the clock of this machine';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another host';
  return undefined;
}
