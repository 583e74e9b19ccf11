import type { NodeRegistration } from '@oakestra/contracts/worker-wire';
import { newId, type Random } from '@oakestra/daemon';
import type { Store } from '@oakestra/store';
import type { WorkersSchema } from './schema.ts';

export interface RegisteredWorker {
  readonly id: string;
  /** Host name; keeps its id for ever (cluster-protocol 4.4). */
  readonly name: string;
  readonly registration: NodeRegistration;
}

export interface WorkerRegistry {
  all(): readonly RegisteredWorker[];
  byName(name: string): RegisteredWorker | undefined;
  byId(id: string): RegisteredWorker | undefined;
  register(registration: NodeRegistration): Promise<RegisteredWorker>;
}

const ID = /^[0-9a-f]{24}$/;
/** Figures that each registration carries afresh: not worth a write when nothing else changed. */
const VOLATILE = ['cpu_percent', 'memory_percent', 'memory', 'system_info', 'disk_info', 'network_info'];

export async function openWorkerRegistry(
  store: Store<WorkersSchema>,
  random: Random,
): Promise<WorkerRegistry> {
  const byName = new Map<string, RegisteredWorker>();
  const known = new Map<string, RegisteredWorker>();
  const remember = (worker: RegisteredWorker): void => {
    byName.set(worker.name, worker);
    known.set(worker.id, worker);
  };
  for (const row of await store.db.selectFrom('workers').selectAll().execute()) {
    remember({ id: row.id, name: row.name, registration: JSON.parse(row.registration) });
  }
  const byId = (id: string): RegisteredWorker | undefined => known.get(id);

  return {
    all: () => [...byName.values()],
    byName: (name) => byName.get(name),
    byId,
    async register(registration) {
      const present = byName.get(registration.host);
      // A cluster that lost its store lets a worker keep the id under which its instances were placed.
      const ownId =
        ID.test(registration.id) && byId(registration.id) === undefined ? registration.id : newId(random);
      const worker: RegisteredWorker = { id: present?.id ?? ownId, name: registration.host, registration };
      remember(worker);
      if (present === undefined || lasting(present) !== lasting(worker)) await write(store, worker);
      return worker;
    },
  };
}

function lasting(worker: RegisteredWorker): string {
  return JSON.stringify(Object.entries(worker.registration).filter(([key]) => !VOLATILE.includes(key)));
}

async function write(store: Store<WorkersSchema>, worker: RegisteredWorker): Promise<void> {
  const values = { name: worker.name, registration: JSON.stringify(worker.registration) };
  await store.commit(
    [
      store.db
        .insertInto('workers')
        .values({ id: worker.id, ...values })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(values)),
    ],
    { durability: 'full' },
  );
}
