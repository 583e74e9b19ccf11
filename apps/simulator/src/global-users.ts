import type { ServiceDocument } from '@oakestra/contracts';
import type { Intent } from './judge/oracle.ts';
import type { Watch } from './judge/watch.ts';
import type { RootNode } from './nodes/root-node.ts';
import { serviceOf } from './services.ts';

/** Users who want something on every worker. */
export function createGlobalUsers({
  root,
  documents,
  watch,
}: {
  readonly root: RootNode;
  readonly documents: Map<string, ServiceDocument>;
  readonly watch: Watch;
}) {
  const globals = new Map<string, Intent>();
  const isThere = (): string | undefined => [...globals].find(([, intent]) => intent === 'wanted')?.[0];

  return {
    globals,
    deployGlobal(): void {
      if (isThere() !== undefined) return;
      const service = serviceOf({ mode: 'global' }, 900 + globals.size, 9);
      root.ask(
        (core) => {
          core.registerService(service);
          documents.set(service.id, service.document);
          globals.set(service.id, 'unsure');
          watch.trace(`a user wants ${service.id} on every worker`);
        },
        () => globals.set(service.id, 'wanted'),
      );
    },
    removeGlobal(): void {
      const id = isThere();
      if (id === undefined) return;
      root.ask(
        (core) => {
          core.removeService(id);
          globals.set(id, 'unsure');
          watch.trace(`a user wants ${id} on no worker any more`);
        },
        () => globals.set(id, 'unwanted'),
      );
    },
  };
}
