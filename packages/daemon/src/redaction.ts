/** What stands in a log line or a print-out where a secret would be. */
export const MASK = '********';

const SECRET_NAME =
  /pass(?:word|wd|phrase|code)|secret|token|authori[sz]ation|credential|cookie|jwt|(?:private|signing|encryption|preshared|shared|session|api|access|master|account|wireguard|tls|ssl|ca|client|server|host)key|keymaterial|keypem|keydata/;
/** Facts about a secret that are none themselves: `tokenLifetimeMs`, `secretCount`, `token_id`, `passwordFile`. */
const HARMLESS_NUMBER = /(?:Ms|Seconds|Count|Bytes|Length|Size|At)$/;
const HARMLESS_TEXT = /(?:Id|_id|Name|_name|Fingerprint|_fingerprint|File|_file|Path|_path|At|_at)$/;

/** Whether a value stored under this name must not be shown. Case and separators do not matter. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
}

/** Whether this value under this name must be masked; flags and measures that only mention a secret stay readable. */
export function mustMask(name: string, value: unknown): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return false;
  if (typeof value === 'number' && HARMLESS_NUMBER.test(name)) return false;
  if (typeof value === 'string' && HARMLESS_TEXT.test(name)) return false;
  return isSecretName(name);
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g;
const AUTHORIZATION = /\b(Bearer|Basic)\s+[A-Za-z0-9+/_~.=-]{8,}/gi;
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/?#:@]*):[^\s/?#@]+@/gi;
const NAMED_VALUE =
  /((?:password|passwd|passphrase|secret|token|api_?key)["']?\s*[=:]\s*["']?)[^\s"'&,;})]+/gi;

/** Masks secrets that give themselves away inside a text: private keys, bearer tokens, passwords in addresses. */
export function redactText(text: string): string {
  let result = text;
  if (result.includes('PRIVATE KEY-----')) result = result.replaceAll(PRIVATE_KEY, '[private key hidden]');
  if (result.includes('://')) result = result.replaceAll(URL_PASSWORD, `$1:${MASK}@`);
  if (/bearer|basic/i.test(result)) result = result.replaceAll(AUTHORIZATION, `$1 ${MASK}`);
  if (/[=:]/.test(result)) result = result.replaceAll(NAMED_VALUE, `$1${MASK}`);
  return result;
}
