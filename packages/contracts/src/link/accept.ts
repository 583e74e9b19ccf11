import { OakestraError } from '../errors.ts';
import { type LinkConnection, openLink } from './connection.ts';
import type { ByeReason } from './frame.ts';
import type { HelloInfo } from './hello.ts';
import { createLinkLedger, type LinkLedger } from './ledger.ts';
import { describeLinkEnd, type LinkEnd } from './link-end.ts';
import type { LinkClock, LinkLog } from './ports.ts';
import { DEFAULT_LINK_SETTINGS, type LinkIdentity, type LinkSettings } from './session.ts';
import type { LinkTransport } from './transport.ts';

export interface AcceptorOptions {
  readonly identity: LinkIdentity;
  readonly clock: LinkClock;
  readonly log?: LinkLog;
  /** Differences from `DEFAULT_LINK_SETTINGS`. */
  readonly settings?: Partial<LinkSettings>;
  /** Refuses a peer by throwing, after its name was checked. */
  readonly checkPeer?: (peer: HelloInfo) => void;
  /** A lower tier opened its link. Set the handlers of the connection here. `name` is what `authorize` found. */
  onConnection(connection: LinkConnection, name: string): void;
}

/** The accepting side of links, whatever carries them. One link per name: a newer one replaces the older. */
export interface LinkAcceptor {
  /** Takes a transport whose peer was proven to be `name`; its greeting has to say the same name. */
  accept(name: string, transport: LinkTransport): void;
  /** The open link of `name`. */
  connection(name: string): LinkConnection | undefined;
  /** Ends all links, with a goodbye when one is given, and takes no more. Idempotent. */
  stop(bye?: { readonly reason: ByeReason; readonly graceMs: number }): Promise<void>;
}

export function createLinkAcceptor(options: AcceptorOptions): LinkAcceptor {
  const { identity, clock, log } = options;
  const settings: LinkSettings = { ...DEFAULT_LINK_SETTINGS, ...options.settings };
  const open = new Map<string, LinkConnection>();
  const ledgers = new Map<string, LinkLedger>();
  const greeting = new Set<{ close(): void }>();
  let isStopped = false;

  function ledgerOf(name: string): LinkLedger {
    const ledger = ledgers.get(name) ?? createLinkLedger();
    ledgers.set(name, ledger);
    return ledger;
  }

  function checkPeer(name: string, peer: HelloInfo): void {
    if (peer.name !== name) {
      const text = `the certificate is that of ${name}, the greeting says ${peer.name}: a peer speaks only for itself`;
      throw new OakestraError('forbidden', 'link-name', text);
    }
    options.checkPeer?.(peer);
  }

  function replace(name: string, connection: LinkConnection): void {
    const older = open.get(name);
    open.set(name, connection);
    if (older === undefined) return;
    log?.warn('a newer link replaces an open one', {
      peer: name,
      sameRun: older.peer.bootId === connection.peer.bootId,
    });
    void older.bye('superseded', 0);
  }

  return {
    accept(name, transport) {
      if (isStopped) return transport.destroy();
      let opened: LinkConnection | undefined;
      let link: { close(): void } | undefined;
      let isOver = false;
      const onDown = (end: LinkEnd): void => {
        isOver = true;
        if (link !== undefined) greeting.delete(link);
        if (opened !== undefined && open.get(name) === opened) open.delete(name);
        log?.info(opened ? 'a link ended' : 'a link was not opened', {
          peer: name,
          reason: describeLinkEnd(end),
        });
      };
      link = openLink({
        transport,
        side: 'acceptor',
        identity,
        settings,
        ledger: ledgerOf(name),
        clock,
        log,
        checkPeer: (peer) => checkPeer(name, peer),
        onUp(connection) {
          opened = connection;
          if (link !== undefined) greeting.delete(link);
          replace(name, connection);
          log?.info('a link opened', { peer: name, role: connection.peer.role });
          options.onConnection(connection, name);
        },
        onDown,
      });
      if (opened === undefined && !isOver) greeting.add(link);
    },
    connection: (name) => open.get(name),
    async stop(bye) {
      isStopped = true;
      for (const link of [...greeting]) link.close();
      const connections = [...open.values()];
      for (const connection of connections) {
        if (bye === undefined) connection.close();
        else void connection.bye(bye.reason, bye.graceMs);
      }
      await Promise.all(connections.map((connection) => connection.closed));
    },
  };
}
