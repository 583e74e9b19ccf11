import { OakestraError } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import type { FastifyReply } from 'fastify';
import type { EventJournal, JournalEvent } from '../events/index.ts';
import { eventResource } from './views.ts';

export interface EventStreamOptions {
  readonly journal: EventJournal;
  readonly clock: Clock;
  readonly isWanted: (event: JournalEvent) => boolean;
  /** Of the event after which to go on; undefined: with the next one. */
  readonly afterId: string | undefined;
  /** Ends the stream: the root stops. */
  readonly stopping: AbortSignal;
}

/** Lets proxies and dead connections be noticed. */
const HEARTBEAT_MS = 15_000;
/** A reader that is so far behind is cut off, and goes on where it was. */
const MOST_UNSENT_BYTES = 1_000_000;
const REPLAY_PAGE = 500;

/** Sends server-sent events until the reader goes. What was missed comes first, without a gap or a repetition. */
export async function streamEvents(reply: FastifyReply, options: EventStreamOptions): Promise<void> {
  const { journal, clock, isWanted } = options;
  // Not `AbortSignal.any`: it never forgets its answers at signals that live long.
  const endings = [options.stopping, journal.ended];
  const { raw: response } = reply;
  let sentSeq = startOf(options);
  let isLive = false;
  const write = (text: string): void => {
    if (response.writableLength > MOST_UNSENT_BYTES) response.destroy();
    else response.write(text);
  };
  const send = (event: JournalEvent): void => {
    sentSeq = event.seq;
    if (!isWanted(event)) return;
    const resource = eventResource(event, journal);
    write(`id: ${resource.id}\nevent: ${event.kind}\ndata: ${JSON.stringify(resource)}\n\n`);
  };

  reply.hijack();
  response.writeHead(200, { ...headersOf(reply), 'content-type': 'text/event-stream' });
  write(': hello\n\n');
  // Before what was missed is read: nothing falls between the two.
  const unwatch = journal.watch((event) => {
    if (isLive) send(event);
  });
  let cancelHeartbeat = (): void => {};
  const beat = (): void => {
    cancelHeartbeat = clock.setTimer(HEARTBEAT_MS, () => {
      write(': still here\n\n');
      beat();
    });
  };
  beat();
  const end = (): void => void response.end();
  for (const ending of endings) ending.addEventListener('abort', end, { once: true });
  response.once('close', () => {
    unwatch();
    cancelHeartbeat();
    for (const ending of endings) ending.removeEventListener('abort', end);
  });

  while (!isLive && !response.destroyed) {
    const missed = await journal.after(sentSeq, REPLAY_PAGE);
    if (missed === undefined) {
      write('event: reset\ndata: {}\n\n');
      sentSeq = journal.lastSeq();
    } else {
      for (const event of missed) send(event);
    }
    // No await lies between this look and the switch.
    isLive = sentSeq >= journal.lastSeq();
  }
}

function startOf({ journal, afterId }: EventStreamOptions): number {
  if (afterId === undefined) return journal.lastSeq();
  const match = /^([0-9a-f]{8})-(\d{1,15})$/.exec(afterId);
  if (match === null) {
    const message = 'Last-Event-ID: send the id of the last event that you got, or nothing.';
    throw new OakestraError('invalid', 'query-invalid', message);
  }
  // Of another life of the journal: nothing can be told about what was missed.
  return match[1] === journal.life ? Number(match[2]) : Number.MAX_SAFE_INTEGER;
}

function headersOf(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]));
}
