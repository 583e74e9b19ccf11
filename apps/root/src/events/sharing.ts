import type { EventJournal, NewEvent } from './journal.ts';

/** Says with each event in which organisation its service is shared, and keeps their order. */
export interface EventSharing {
  add(event: NewEvent): void;
  /** Everything that was added is in the journal. */
  settled(): Promise<void>;
}

/** Services whose organisation is remembered, beyond their end: what comes of a removal is told after it. */
const REMEMBERED = 20_000;

export function createEventSharing(options: {
  readonly journal: Pick<EventJournal, 'add'>;
  /** Undefined: nobody knows, or it is shared in none. */
  readonly organisationOf: (serviceId: string) => Promise<string | undefined>;
}): EventSharing {
  const { journal, organisationOf } = options;
  const known = new Map<string, string>();
  let last: Promise<void> | undefined;

  const remember = (serviceId: string, organisationId: string): void => {
    known.set(serviceId, organisationId);
    const [oldest] = known.keys();
    if (known.size > REMEMBERED && oldest !== undefined) known.delete(oldest);
  };

  const addShared = async (event: NewEvent, serviceId: string): Promise<void> => {
    const found = known.get(serviceId) ?? (await organisationOf(serviceId).catch(() => undefined));
    if (found !== undefined) remember(serviceId, found);
    journal.add({ ...event, organisationId: found });
  };

  return {
    add(event) {
      const { serviceId } = event;
      const organisationId = serviceId === undefined ? undefined : known.get(serviceId);
      // Nothing to wait for.
      if (last === undefined && (serviceId === undefined || organisationId !== undefined)) {
        journal.add({ ...event, organisationId });
        return;
      }
      const before = last ?? Promise.resolve();
      const own = before.then(async () => {
        if (serviceId === undefined) journal.add(event);
        else await addShared(event, serviceId);
        if (last === own) last = undefined;
      });
      last = own;
    },
    settled: async () => last,
  };
}
