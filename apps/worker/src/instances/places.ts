/**
 * What goes on under one id of the runtime. Usually that is one instance; but services may share a name (one is being
 * removed while the next is deployed already), and then several claim the same place: they take turns.
 */
export interface Place {
  readonly runtimeId: string;
  /** The instance whose container, files and output are there. */
  holder: string | undefined;
  /** Something beside the output may be there. */
  isDirty: boolean;
  /** Why the last removal failed. */
  complaint: string | undefined;
}

export interface Places {
  /** The place of an instance that has one. */
  of(key: string): Place | undefined;
  /** Gives the instance the place under this id. */
  claim(key: string, runtimeId: string): Place;
  holderOf(runtimeId: string): string | undefined;
  /** Runs the work after everything that was enqueued for the place before. Forgets who has nothing there any more. */
  enqueue(key: string, place: Place, work: () => Promise<void>): void;
  /** What waits is not begun any more. */
  close(): void;
  /** Resolves when nothing is under way. */
  settled(): Promise<void>;
}

interface QueuedPlace extends Place {
  tail: Promise<void>;
  /** Instances that may have work here, with how much of it waits or runs. */
  readonly claims: Map<string, number>;
}

export function createPlaces(onUnexpected: (error: unknown) => void): Places {
  const places = new Map<string, QueuedPlace>();
  const placeOfKey = new Map<string, QueuedPlace>();
  let isClosed = false;

  const release = (place: QueuedPlace, key: string): void => {
    const left = (place.claims.get(key) ?? 1) - 1;
    place.claims.set(key, left);
    if (left > 0 || place.holder === key) return;
    place.claims.delete(key);
    placeOfKey.delete(key);
    if (place.claims.size === 0 && place.holder === undefined) places.delete(place.runtimeId);
  };

  return {
    of: (key) => placeOfKey.get(key),
    claim(key, runtimeId) {
      let place = places.get(runtimeId);
      if (place === undefined) {
        const empty = { holder: undefined, isDirty: false, complaint: undefined };
        place = { runtimeId, ...empty, tail: Promise.resolve(), claims: new Map() };
        places.set(runtimeId, place);
      }
      if (!place.claims.has(key)) place.claims.set(key, 0);
      placeOfKey.set(key, place);
      return place;
    },
    holderOf: (runtimeId) => places.get(runtimeId)?.holder,
    enqueue(key, { runtimeId }, work) {
      const place = places.get(runtimeId);
      if (place === undefined) throw new Error(`nobody claimed ${runtimeId}`);
      place.claims.set(key, (place.claims.get(key) ?? 0) + 1);
      place.tail = place.tail
        .then(() => (isClosed ? undefined : work()))
        .catch(onUnexpected)
        .then(() => release(place, key));
    },
    close() {
      isClosed = true;
    },
    async settled() {
      await Promise.all(Array.from(places.values(), ({ tail }) => tail));
    },
  };
}
