import { OakestraError } from '@oakestra/contracts';
import { type Run, run } from '../run.ts';

/** A chain of nftables. */
export interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Absent for a chain that is only jumped to. */
  readonly hook?: string;
  readonly policy?: string;
}

/** A rule, as far as one needs it to find and delete it. */
export interface NftRule {
  readonly handle: number;
  readonly comment?: string;
}

/** One element of a map from port to address and port. */
export interface NftPortElement {
  readonly port: number;
  readonly toAddress: string;
  readonly toPort: number;
}

/** Linux takes 128 KiB in one argument. */
const LONGEST_ARGUMENT = 100_000;

/** What we need of nftables; every call is one process. */
export interface Nft {
  /** Applies the text as one transaction: all of it or nothing. */
  apply(text: string, signal?: AbortSignal): Promise<void>;
  /** All chains of all tables. */
  chains(signal?: AbortSignal): Promise<NftChain[]>;
  /** The rules of one chain in their order. */
  rules(chain: NftChain, signal?: AbortSignal): Promise<NftRule[]>;
  /** The maps of a table with their elements, by name; undefined when the table does not exist. */
  portMaps(table: string, signal?: AbortSignal): Promise<ReadonlyMap<string, NftPortElement[]> | undefined>;
}

export function createNft(runProgram: Run = run): Nft {
  const list = async (args: readonly string[], signal: AbortSignal | undefined) => {
    const { stdout } = await runProgram('nft', ['-j', ...args], signal === undefined ? {} : { signal });
    return parseListing(stdout);
  };
  return {
    async apply(text, signal) {
      const abort = signal === undefined ? {} : { signal };
      // Not every nft reads standard input from a socket, which is what Node uses as pipe.
      if (text.length <= LONGEST_ARGUMENT) await runProgram('nft', [text], abort);
      else await runProgram('nft', ['-f', '-'], { stdin: text, ...abort });
    },
    chains: async (signal) => (await list(['list', 'chains'], signal)).flatMap(chainOf),
    rules: async ({ family, table, name }, signal) =>
      (await list(['-a', 'list', 'chain', family, table, name], signal)).flatMap(ruleOf),
    async portMaps(table, signal) {
      try {
        const items = await list(['list', 'table', 'ip', table], signal);
        return new Map(items.flatMap(mapOf));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
  };
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof OakestraError &&
    error.code === 'program-failed' &&
    /No such file or directory/.test(String(error.details.stderr))
  );
}

type Loose = Readonly<Record<string, unknown>>;

function asObject(value: unknown): Loose {
  return typeof value === 'object' && value !== null ? (value as Loose) : {};
}

function parseListing(text: string): Loose[] {
  const { nftables } = asObject(JSON.parse(text));
  return Array.isArray(nftables) ? nftables.map(asObject) : [];
}

function chainOf(item: Loose): NftChain[] {
  const { family, table, name, hook, policy } = asObject(item.chain);
  if (typeof family !== 'string' || typeof table !== 'string' || typeof name !== 'string') return [];
  return [
    {
      family,
      table,
      name,
      ...(typeof hook === 'string' ? { hook } : {}),
      ...(typeof policy === 'string' ? { policy } : {}),
    },
  ];
}

function ruleOf(item: Loose): NftRule[] {
  const { handle, comment } = asObject(item.rule);
  if (typeof handle !== 'number') return [];
  return [{ handle, ...(typeof comment === 'string' ? { comment } : {}) }];
}

function mapOf(item: Loose): [string, NftPortElement[]][] {
  const { name, elem } = asObject(item.map);
  if (typeof name !== 'string') return [];
  return [[name, Array.isArray(elem) ? elem.flatMap(elementOf) : []]];
}

/** `[8080, {"concat": ["10.19.0.2", 80]}]` */
function elementOf(element: unknown): NftPortElement[] {
  const [port, target]: unknown[] = Array.isArray(element) ? element : [];
  const { concat } = asObject(target);
  const [toAddress, toPort]: unknown[] = Array.isArray(concat) ? concat : [];
  if (typeof port !== 'number' || typeof toAddress !== 'string' || typeof toPort !== 'number') return [];
  return [{ port, toAddress, toPort }];
}
