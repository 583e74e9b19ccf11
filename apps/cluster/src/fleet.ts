import { messageOf, type WorkerRow } from '@oakestra/contracts';
import type { Clock, Logger } from '@oakestra/daemon';
import type { InstanceEngine } from './instances/index.ts';
import type { FleetEnd, Uplink } from './uplink/index.ts';
import {
  createWorkerTable,
  type WorkerLabels,
  type WorkerRegistry,
  type WorkerSessions,
  workerRow,
} from './workers/index.ts';

/** Joins what this cluster knows of its workers into what the root reads and says of them. */
export function createFleetEnd(options: {
  readonly registry: WorkerRegistry;
  readonly labels: WorkerLabels;
  readonly engine: () => InstanceEngine;
  readonly sessions: () => Pick<WorkerSessions, 'labelsChanged'>;
  readonly send: Uplink['send'];
  readonly clock: Clock;
  readonly logger: Logger;
}): FleetEnd & { touch(workerId: string): void } {
  const { registry, labels, logger } = options;

  const rowOf = (workerId: string): WorkerRow | undefined => {
    const worker = registry.byId(workerId);
    if (worker === undefined) return undefined;
    const said = { own: labels.own(workerId), override: labels.override(workerId) };
    return workerRow(worker.name, options.engine().member(workerId), said);
  };

  const table = createWorkerTable({
    clock: options.clock,
    workers: () => registry.all().map(({ id }) => id),
    rowOf,
    send: options.send,
  });

  return {
    touch: table.touch,
    sessionUp: table.sessionUp,
    sessionDown: table.sessionDown,
    command(command) {
      switch (command.type) {
        case 'workers-sync':
          table.answer(command.request);
          break;
        case 'label-worker':
          labels.take(command.workerId, command.override).then(
            (isNew) => {
              if (isNew) logger.info('labels set at the root', { worker: command.workerId });
              options.sessions().labelsChanged(command.workerId);
            },
            (error: unknown) =>
              logger.error('labels were not stored; the root says them again', { reason: messageOf(error) }),
          );
          break;
        case 'removed':
          logger.error(
            'this cluster was removed from its root: it gets nothing any more, and its instances are stopped. ' +
              'An administrator of the root can admit it again',
          );
          break;
      }
    },
  };
}
