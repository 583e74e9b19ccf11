import type { NetworkSettings } from './settings.ts';

/** A chain of nftables that is not in our table. */
export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** `forward`, `input`, …; absent for a chain that is only jumped to. */
  readonly hook?: string;
  /** What happens to a packet that no rule decided. */
  readonly policy?: string;
  /** Handles of the rules in it that bear our mark (`acceptanceMark`). */
  readonly ourRules: readonly number[];
}

/** Rules of ours in the chain of another owner. */
export interface Acceptance {
  readonly table: string;
  readonly chain: string;
}

/** What must be done, and what only its owner can do, so that other firewalls let our traffic pass. */
export interface AcceptancePlan {
  readonly insert: readonly Acceptance[];
  readonly withdraw: readonly (Acceptance & { readonly handles: readonly number[] })[];
  /** For people: who drops our traffic, and the command that helps. */
  readonly obstacles: readonly string[];
}

/** The two directions across the bridge. */
const RULES_PER_CHAIN = 2;

/** The comment that marks our rules in foreign chains. */
export function acceptanceMark(bridge: string): string {
  return `oakestra ${bridge}`;
}

/**
 * An `accept` in our table does not overrule a `drop` in another one: Docker, ufw and others set the policy of
 * FORWARD in the table that iptables made to drop. There the acceptance goes where Docker keeps rules of others
 * (DOCKER-USER), or else to the top of FORWARD. A table that a person wrote is left alone and reported.
 */
export function planAcceptance(settings: NetworkSettings, chains: readonly ForeignChain[]): AcceptancePlan {
  const insert: Acceptance[] = [];
  const obstacles: string[] = [];
  for (const chain of chains) {
    if (!dropsForwarded(settings, chain)) continue;
    if (!isOfIptables(chain)) {
      obstacles.push(describeObstacle(settings, chain));
      continue;
    }
    const name = chains.some((other) => isDockerUser(other)) ? 'DOCKER-USER' : chain.name;
    insert.push({ table: chain.table, chain: name });
  }
  const isWanted = (chain: ForeignChain) =>
    chain.family === 'ip' &&
    insert.some((target) => target.table === chain.table && target.chain === chain.name);
  const isComplete = (chain: ForeignChain) => chain.ourRules.length === RULES_PER_CHAIN;
  return {
    insert: insert.filter(
      (target) =>
        !chains.some(
          (chain) =>
            isWanted(chain) && chain.name === target.chain && chain.ourRules.length === RULES_PER_CHAIN,
        ),
    ),
    withdraw: chains
      .filter((chain) => chain.ourRules.length > 0 && !(isWanted(chain) && isComplete(chain)))
      .map(toWithdrawal),
    obstacles,
  };
}

/** Everything of ours in foreign chains, for the day we leave. */
export function planWithdrawal(
  chains: readonly ForeignChain[],
): readonly (Acceptance & { readonly handles: readonly number[] })[] {
  return chains.filter((chain) => chain.ourRules.length > 0).map(toWithdrawal);
}

/** Which chains have to be read rule by rule, because rules of ours stand or should stand in them. */
export function mayHoldAcceptance(chain: Pick<ForeignChain, 'family' | 'table' | 'name'>): boolean {
  return isDockerUser(chain) || (isIptablesFilter(chain) && chain.name === 'FORWARD');
}

function toWithdrawal(chain: ForeignChain) {
  return { table: chain.table, chain: chain.name, handles: chain.ourRules };
}

function dropsForwarded(settings: NetworkSettings, chain: ForeignChain): boolean {
  const isIpv4 = chain.family === 'ip' || chain.family === 'inet';
  const isOurs = chain.family === 'ip' && chain.table === settings.table;
  return isIpv4 && !isOurs && chain.hook === 'forward' && chain.policy === 'drop';
}

function isIptablesFilter(chain: Pick<ForeignChain, 'family' | 'table'>): boolean {
  return chain.family === 'ip' && chain.table === 'filter';
}

function isOfIptables(chain: ForeignChain): boolean {
  return isIptablesFilter(chain) && chain.name === 'FORWARD';
}

function isDockerUser(chain: Pick<ForeignChain, 'family' | 'table' | 'name'>): boolean {
  return isIptablesFilter(chain) && chain.name === 'DOCKER-USER';
}

function describeObstacle({ bridge }: NetworkSettings, chain: ForeignChain): string {
  const target = `${chain.family} ${chain.table} ${chain.name}`;
  return (
    `the nftables chain "${target}" drops forwarded packets, also those of instances; allow them there: ` +
    `nft insert rule ${target} iifname "${bridge}" accept; nft insert rule ${target} oifname "${bridge}" accept`
  );
}

/** Text for `nft -f`: lets packets from and to the bridge pass in a chain of iptables. */
export function renderAcceptance(settings: NetworkSettings, target: Acceptance): string {
  // Only matches that iptables itself could have written: it refuses to read a table with others in it.
  return ['iifname', 'oifname']
    .map(
      (direction) =>
        `insert rule ip ${target.table} ${target.chain} ${direction} "${settings.bridge}" ` +
        `counter accept comment "${acceptanceMark(settings.bridge)}"\n`,
    )
    .join('');
}

/** Text for `nft -f`: takes our rules out of a foreign chain. */
export function renderAcceptanceRemoval(
  target: Acceptance & { readonly handles: readonly number[] },
): string {
  return target.handles
    .map((handle) => `delete rule ip ${target.table} ${target.chain} handle ${handle}\n`)
    .join('');
}
