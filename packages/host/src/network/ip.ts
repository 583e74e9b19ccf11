import { OakestraError } from '@oakestra/contracts';
import { type Run, run } from '../run.ts';

export interface IpBatchOptions {
  /** Works inside this network namespace (a name of `/run/netns`). */
  readonly namespace?: string;
  /** Goes on after a line that fails and reports nothing: for removing what may be gone already. */
  readonly isTolerant?: boolean;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** A network interface as `ip` shows it. */
export interface IpLink {
  readonly index: number;
  readonly name: string;
  readonly flags: readonly string[];
  readonly mtu: number;
  /** Hardware address; empty for interfaces without one. */
  readonly mac: string;
  /** `bridge`, `veth`, …; undefined for hardware. */
  readonly kind?: string;
  /** The bridge that it is plugged into. */
  readonly master?: string;
  readonly alias?: string;
  /** With prefix: `10.19.0.1/16`, `fe80::1/64`. */
  readonly addresses: readonly string[];
}

export interface IpRoute {
  /** `default` or `10.0.0.0/8`. */
  readonly destination: string;
  readonly device?: string;
}

/** What we need of iproute2; every call is one process. */
export interface Ip {
  /**
   * Runs the lines in one process, in order; stops at the first that fails, with an error that quotes it. Lines are
   * `ip` commands without the word `ip`.
   */
  batch(lines: readonly string[], options?: IpBatchOptions): Promise<void>;
  /** All interfaces of our own network namespace, with their addresses. */
  links(signal?: AbortSignal): Promise<IpLink[]>;
  /** IPv4 routes of the main table. */
  routes(signal?: AbortSignal): Promise<IpRoute[]>;
}

export function createIp(runProgram: Run = run): Ip {
  const read = async (args: readonly string[], signal: AbortSignal | undefined): Promise<unknown[]> => {
    const { stdout } = await runProgram('ip', args, signal === undefined ? {} : { signal });
    return parseJsonList(stdout);
  };
  return {
    async batch(lines, { namespace, isTolerant = false, signal, timeoutMs } = {}) {
      if (lines.length === 0) return;
      const args = [
        ...(namespace === undefined ? [] : ['-n', namespace]),
        ...(isTolerant ? ['-force'] : []),
        '-batch',
        '-',
      ];
      try {
        await runProgram('ip', args, {
          stdin: `${lines.join('\n')}\n`,
          // iproute2 ends with 1 when a line was refused.
          acceptedExitCodes: isTolerant ? [0, 1] : [0],
          ...(signal === undefined ? {} : { signal }),
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
        });
      } catch (error) {
        throw quoteLine(error, lines);
      }
    },
    links: async (signal) => (await read(['-j', '-d', 'address'], signal)).flatMap(parseLink),
    routes: async (signal) => (await read(['-j', '-4', 'route'], signal)).flatMap(parseRoute),
  };
}

/** Adds the refused line to the message: `-:3` alone helps nobody. */
function quoteLine(error: unknown, lines: readonly string[]): unknown {
  if (!(error instanceof OakestraError) || error.code !== 'program-failed') return error;
  const stderr = String(error.details.stderr ?? '');
  const line = lines[Number(/Command failed -:(\d+)/.exec(stderr)?.[1] ?? 0) - 1];
  if (line === undefined) return error;
  return new OakestraError(error.kind, error.code, `ip ${line}: ${error.message}`, {
    cause: error,
    details: { ...error.details, line },
  });
}

/** `ip -j` prints nothing at all, or objects without content, where there is nothing to show. */
function parseJsonList(text: string): unknown[] {
  if (text.trim() === '') return [];
  const value: unknown = JSON.parse(text);
  return Array.isArray(value) ? value : [];
}

type Loose = Readonly<Record<string, unknown>>;

function asObject(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}

function parseLink(value: unknown): IpLink[] {
  const link = asObject(value);
  if (typeof link.ifname !== 'string') return [];
  const kind = asObject(link.linkinfo).info_kind;
  const addresses = Array.isArray(link.addr_info) ? link.addr_info.map(asObject) : [];
  return [
    {
      index: Number(link.ifindex),
      name: link.ifname,
      flags: Array.isArray(link.flags) ? link.flags.map(String) : [],
      mtu: Number(link.mtu),
      mac: typeof link.address === 'string' ? link.address : '',
      ...(typeof kind === 'string' ? { kind } : {}),
      ...(typeof link.master === 'string' ? { master: link.master } : {}),
      ...(typeof link.ifalias === 'string' ? { alias: link.ifalias } : {}),
      addresses: addresses
        .filter(({ local }) => typeof local === 'string')
        .map(({ local, prefixlen }) => `${String(local)}/${String(prefixlen)}`),
    },
  ];
}

function parseRoute(value: unknown): IpRoute[] {
  const { dst, dev } = asObject(value);
  if (typeof dst !== 'string') return [];
  return [{ destination: dst, ...(typeof dev === 'string' ? { device: dev } : {}) }];
}
