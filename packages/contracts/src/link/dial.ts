import { messageOf, OakestraError } from '../errors.ts';
import { createBackoff } from './backoff.ts';
import { type LinkConnection, openLink } from './connection.ts';
import type { ByeReason } from './frame.ts';
import type { HelloInfo } from './hello.ts';
import { createLinkLedger } from './ledger.ts';
import { describeLinkEnd, type LinkEnd } from './link-end.ts';
import type { LinkClock, LinkLog, LinkRandom } from './ports.ts';
import { DEFAULT_LINK_SETTINGS, type LinkIdentity, type LinkSettings } from './session.ts';
import type { LinkTransport } from './transport.ts';

/** Opens a connection to one endpoint. Rejects, or ends the transport, when that fails; gives up on `signal`. */
export type ConnectTransport = (endpoint: string, signal: AbortSignal) => Promise<LinkTransport>;

export interface DialOptions {
  /** Addresses of the upper tier (`host:port`), one or more; after a failure the next one is tried. */
  readonly endpoints: readonly string[];
  readonly connect: ConnectTransport;
  readonly identity: LinkIdentity;
  readonly clock: LinkClock;
  readonly random: LinkRandom;
  readonly log?: LinkLog;
  /** Differences from `DEFAULT_LINK_SETTINGS`. */
  readonly settings?: Partial<LinkSettings>;
  /** Refuses a peer by throwing, for instance one that has another role than expected. */
  readonly checkPeer?: (peer: HelloInfo) => void;
  /** The link is open. Set the handlers of the connection here. */
  onUp(connection: LinkConnection): void;
  /** An open link ended; the next one is being dialled unless `stop` was called. */
  onDown?(end: LinkEnd): void;
  /** An endpoint could not be reached. */
  onUnreachable?(failure: DialFailure): void;
}

export interface DialFailure {
  readonly endpoint: string;
  readonly message: string;
  /** Wait before the next try. */
  readonly nextTryMs: number;
}

/** A link that is kept open. */
export interface LinkDialer {
  /** The open connection, if there is one right now. */
  connection(): LinkConnection | undefined;
  /**
   * Ends the link for good. With `bye` what waits is sent (at most `drainMs`) and the peer is told why; without, it
   * takes the end for a failure. Resolves when the connection is closed. Idempotent.
   */
  stop(bye?: { readonly reason: ByeReason; readonly graceMs: number }): Promise<void>;
}

const BACKOFF = { firstMs: 200, longestMs: 10_000 };
/** A link that lived this long was no accident: after it, the first retry is fast again. */
const STABLE_MS = 5_000;

/** Opens a link to the upper tier and opens it again whenever it ends, until `stop`. */
export function dialLink(options: DialOptions): LinkDialer {
  const { endpoints, clock, log, identity } = options;
  if (endpoints.length === 0) {
    throw new OakestraError(
      'invalid',
      'link-endpoints',
      'a link needs at least one endpoint (host:port) to dial',
    );
  }
  const settings: LinkSettings = { ...DEFAULT_LINK_SETTINGS, ...options.settings };
  const backoff = createBackoff(BACKOFF, options.random);
  const ledger = createLinkLedger();
  const abort = new AbortController();
  let index = 0;
  let current: LinkConnection | undefined;
  /** Cuts what is under way: waiting, connecting or greeting. */
  let giveUp: () => void = () => {};
  let isFirstFailure = true;

  function retry(endpoint: string, message: string): void {
    index = (index + 1) % endpoints.length;
    const nextTryMs = backoff.next();
    if (isFirstFailure) log?.warn('cannot reach the upper tier, trying on', { endpoint, error: message });
    isFirstFailure = false;
    options.onUnreachable?.({ endpoint, message, nextTryMs });
    later(nextTryMs);
  }

  function later(delayMs: number): void {
    if (!abort.signal.aborted) giveUp = clock.setTimer(delayMs, () => void attempt());
  }

  function ended(end: LinkEnd, upSinceMs: number): void {
    current = undefined;
    options.onDown?.(end);
    if (abort.signal.aborted) return;
    log?.warn('the link to the upper tier ended', {
      endpoint: endpoints[index],
      reason: describeLinkEnd(end),
    });
    if (clock.monotonicMs() - upSinceMs >= STABLE_MS) backoff.reset();
    if (end.kind === 'bye') {
      index = (index + 1) % endpoints.length;
      // Someone else uses our name: taking the link back at once would only make both of them flap.
      if (end.reason === 'superseded') backoff.slowDown();
    }
    later(backoff.next());
  }

  /** A transport, or nothing when the endpoint cannot be reached in time. */
  async function connected(endpoint: string): Promise<LinkTransport | undefined> {
    const timeout = new AbortController();
    const cancelTimer = clock.setTimer(settings.helloTimeoutMs, () => timeout.abort());
    const signal = AbortSignal.any([abort.signal, timeout.signal]);
    try {
      const transport = await options.connect(endpoint, signal);
      if (!signal.aborted) return transport;
      transport.destroy();
      throw new OakestraError(
        'timeout',
        'link-connect-timeout',
        `no connection within ${settings.helloTimeoutMs} ms`,
      );
    } catch (error) {
      if (!abort.signal.aborted) retry(endpoint, messageOf(error));
      return undefined;
    } finally {
      cancelTimer();
    }
  }

  async function attempt(): Promise<void> {
    const endpoint = endpoints[index] ?? '';
    giveUp = () => {};
    const transport = await connected(endpoint);
    if (transport === undefined) return;
    let upSinceMs: number | undefined;
    const link = openLink({
      transport,
      side: 'dialer',
      identity,
      settings,
      ledger,
      clock,
      log,
      checkPeer: options.checkPeer,
      onUp(connection) {
        upSinceMs = clock.monotonicMs();
        current = connection;
        isFirstFailure = true;
        giveUp = () => {};
        log?.info('linked to the upper tier', { endpoint, peer: connection.peer.name });
        options.onUp(connection);
      },
      onDown(end) {
        if (upSinceMs !== undefined) ended(end, upSinceMs);
        else if (!abort.signal.aborted) retry(endpoint, describeLinkEnd(end));
      },
    });
    if (current === undefined) giveUp = () => link.close();
  }

  void attempt();

  return {
    connection: () => current,
    async stop(bye) {
      abort.abort();
      giveUp();
      giveUp = () => {};
      const connection = current;
      if (connection === undefined) return;
      if (bye !== undefined) await connection.bye(bye.reason, bye.graceMs);
      else connection.close();
      await connection.closed;
    },
  };
}
