import { BlockList, isIP } from 'node:net';
import { OakestraError } from '@oakestra/contracts';
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { callerAddress } from './caller.ts';

interface PlainHttpOptions {
  /** Address ranges (`192.0.2.0/24`, `2001:db8::/32` or single addresses) that may use plain HTTP. */
  readonly allowLegacy: readonly string[];
}

/**
 * Answers plain HTTP for loopback and for the allowed ranges only, else 426 with the HTTPS address: passwords and tokens
 * are not for the wire. Rejects `address-range-invalid` when it is created.
 */
export function plainHttpPolicy({ allowLegacy }: PlainHttpOptions): onRequestAsyncHookHandler {
  const isAllowed = addressMatcher(['127.0.0.0/8', '::1', ...allowLegacy]);
  return async (request, reply) => {
    if (isEncrypted(request)) return;
    const address = plainAddress(callerAddress(request));
    if (isAllowed(address)) return;
    reply.headers({ upgrade: 'TLS/1.2, HTTP/1.1', connection: 'Upgrade' });
    throw new OakestraError(
      'unsupported',
      'https-required',
      `Plain HTTP is not allowed from ${address}. Use ${secureAddress(request)}, or start the root with ` +
        `--allow-legacy ${address || '<address range>'} to accept it.`,
    );
  };
}

/** Whether an address is in one of the ranges; rejects `address-range-invalid` when it is made. */
export function addressMatcher(ranges: readonly string[]): (address: string) => boolean {
  const list = rangesOf(ranges);
  return (given) => {
    const address = plainAddress(given);
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };
}

function isEncrypted(request: FastifyRequest): boolean {
  return 'encrypted' in request.socket && request.socket.encrypted === true;
}

/** The same address over HTTPS: both are served on one port. */
function secureAddress({ headers, socket, url }: FastifyRequest): string {
  const host = headers.host ?? '';
  if (/^[a-z0-9.:[\]_-]{1,255}$/i.test(host)) return `https://${host}${url}`;
  const local = plainAddress(socket.localAddress ?? '');
  return `https://${isIP(local) === 6 ? `[${local}]` : local}:${socket.localPort ?? ''}${url}`;
}

/** Without zone, and as IPv4 where a dual-stack socket writes it as IPv6. */
function plainAddress(address: string): string {
  const [plain = ''] = address.split('%');
  return plain.toLowerCase().startsWith('::ffff:') && plain.includes('.') ? plain.slice(7) : plain;
}

function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix, ...rest] = range.trim().split('/');
    const version = isIP(address);
    const longest = version === 6 ? 128 : 32;
    const length = prefix === undefined ? longest : Number(prefix);
    const isValid = Number.isInteger(length) && length >= 0 && length <= longest && prefix !== '';
    if (version === 0 || rest.length > 0 || !isValid) {
      throw new OakestraError(
        'invalid',
        'address-range-invalid',
        `allow-legacy: "${range}" is no address range; write it like 192.0.2.0/24 or 2001:db8::/32.`,
      );
    }
    list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
