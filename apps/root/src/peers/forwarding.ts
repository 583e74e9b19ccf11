import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import { OakestraError } from '@oakestra/contracts';
import { API_BASE } from '@oakestra/contracts/api';
import { type Clock, type Logger, sleep } from '@oakestra/daemon';
import { type TlsIdentity, tlsClientOptions } from '@oakestra/pki';
import type { FastifyReply, FastifyRequest, preHandlerAsyncHookHandler } from 'fastify';
import { callerAddress, isPassedOn } from '../http/index.ts';
import { type Leadership, notLeading, type Term } from '../leadership/index.ts';
import { askLeader, endToEnd, type PassedOnRequest } from './ask-leader.ts';
import { PEER_HEADER } from './peer-door.ts';

export interface Forwarding {
  /** Runs before the handlers of the face of this name: answers in their place where another root leads. */
  before(door: string): preHandlerAsyncHookHandler;
  stop(): void;
}

/** As long as nobody leads, requests wait: that is when one takes over. */
const PATIENCE_MS = 5000;
const AGAIN_MS = 50;
/** Below the time after which the other side closes it. */
const IDLE_MS = 60_000;

/**
 * Passes requests that need the leader on to it, as they came. What was surely not begun is sent again to the next
 * leader, and so is what may be repeated; for any other the one who asked is told that nobody knows (`not-stored`).
 */
export function createForwarding(options: {
  readonly leadership: Pick<Leadership<Term>, 'leader' | 'settled'>;
  readonly tls: TlsIdentity;
  readonly clock: Clock;
  readonly logger: Logger;
}): Forwarding {
  const { leadership, tls, clock, logger } = options;
  const agent = new Agent({
    ...tlsClientOptions(tls, { serverRole: 'root' }),
    ...{ keepAlive: true, timeout: IDLE_MS },
  });

  /** Undefined: this root is to answer by itself. */
  const answerOf = async (asked: PassedOnRequest, mayRepeat: boolean, client: AbortSignal) => {
    const patientUntilMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      const leader = await leadership.settled(Math.max(1, patientUntilMs - clock.monotonicMs()));
      if (leader === undefined) throw nobodyLeads();
      if (leader.kind === 'self') return undefined;
      const given = eitherOf(client, leader.ended);
      const outcome = await askLeader(leader.address, asked, { agent, clock, signal: given.signal });
      if (outcome.kind === 'answered') outcome.response.once('close', given.release);
      else given.release();
      if (outcome.kind === 'answered') return outcome.response;
      const { kind, reason } = outcome;
      logger.debug('the leader gave no answer', { address: leader.address, kind, reason });
      if (kind === 'unknown' && !mayRepeat) throw unclear(reason);
      if (clock.monotonicMs() + AGAIN_MS > patientUntilMs) throw unreachable(leader.address, reason);
      await sleep(clock, AGAIN_MS, client);
    }
  };

  return {
    before: (door) => async (request, reply) => {
      const { access, anyRoot } = request.routeOptions.config;
      if (access === undefined || anyRoot === true) return;
      if (leadership.leader()?.kind === 'self') return;
      if (isPassedOn(request)) {
        reply.header(PEER_HEADER.untouched, '1');
        throw notLeading();
      }
      const client = new AbortController();
      reply.raw.once('close', () => client.abort(new Error('whoever asked is gone')));
      const asked: PassedOnRequest = {
        ...{ method: request.method, url: request.url, headers: request.headers, door },
        body: typeof request.body === 'string' ? Buffer.from(request.body) : undefined,
        callerAddress: callerAddress(request),
      };
      const response = await answerOf(asked, mayRepeat(request, door), client.signal);
      if (response === undefined) return;
      // The end of an answer that breaks off must not look like its end.
      response.once('error', () => reply.raw.destroy());
      return send(reply, response);
    },
    stop: () => agent.destroy(),
  };
}

function send(reply: FastifyReply, response: IncomingMessage): FastifyReply {
  return reply
    .code(response.statusCode ?? 502)
    .headers(endToEnd(response.headers))
    .send(response);
}

/** What changes nothing, and what the leader does once whatever it is sent. */
function mayRepeat({ method, headers, url }: FastifyRequest, door: string): boolean {
  if (method === 'GET' || method === 'HEAD') return true;
  return door === 'api' && url.startsWith(`${API_BASE}/`) && headers['idempotency-key'] !== undefined;
}

function nobodyLeads(): OakestraError {
  return new OakestraError(
    'unavailable',
    'no-leader',
    'No root leads at the moment, so nothing was done. Try again in a few seconds.',
    { details: { retryAfterSeconds: 2 } },
  );
}

function unreachable(address: string, reason: string): OakestraError {
  return new OakestraError(
    'unavailable',
    'leader-unreachable',
    `The root that leads cannot be reached at ${address} (${reason}), so nothing was done. Ask that one, or correct its settings peer-port and advertise.`,
    { details: { retryAfterSeconds: 2 } },
  );
}

function unclear(reason: string): OakestraError {
  return new OakestraError(
    'unavailable',
    'not-stored',
    `The change may not have been stored: the root that leads ended while it did this (${reason}). Look at the state, then try again`,
  );
}

/** Like `AbortSignal.any`, which never forgets its answer at a signal that lives long. */
function eitherOf(one: AbortSignal, other: AbortSignal): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const signals = [one, other];
  const abort = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  }
  return {
    signal: controller.signal,
    release() {
      for (const signal of signals) signal.removeEventListener('abort', abort);
    },
  };
}
