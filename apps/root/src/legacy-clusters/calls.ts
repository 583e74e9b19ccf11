import { messageOf, type ServiceDocument } from '@oakestra/contracts';
import { createSerially, type Logger } from '@oakestra/daemon';

/** A request to a cluster manager of the original (root-api 9.1, 9.3). */
export type ClusterCall =
  | {
      readonly kind: 'deploy';
      readonly serviceId: string;
      readonly number: number;
      readonly document: ServiceDocument;
    }
  /** -1: all instances of the service. */
  | { readonly kind: 'remove'; readonly serviceId: string; readonly number: number };

/** Resolves to the HTTP status; rejects when there was no answer. */
export type MakeCall = (call: ClusterCall) => Promise<number>;

interface CallFate {
  /** Asked when its turn comes. */
  isWanted(): boolean;
  onAnswer(): void;
}

/**
 * The calls to one cluster. Whoever wants something asks again and again until the report says that it is so; a call that
 * was answered is repeated only when a report came since. Calls about one service follow one another: the original
 * rewrites the whole service with each.
 */
export interface Calls {
  deploy(target: Omit<Extract<ClusterCall, { kind: 'deploy' }>, 'kind'>, fate: CallFate): void;
  remove(target: Omit<Extract<ClusterCall, { kind: 'remove' }>, 'kind'>, fate: CallFate): void;
  /** A report came. */
  heard(): void;
}

export function createCalls({ make, logger }: { readonly make: MakeCall; readonly logger: Logger }): Calls {
  const serially = createSerially();
  const underWay = new Set<string>();
  const answered = new Set<string>();

  const attempt = async (
    name: string,
    call: ClusterCall,
    { isWanted, onAnswer }: CallFate,
  ): Promise<void> => {
    if (!isWanted()) return;
    try {
      const status = await make(call);
      const isDone = status >= 200 && status < 300;
      // The original answers 500 to the removal of what it does not know; the next report tells.
      if (isDone || call.kind === 'remove') {
        answered.add(name);
        onAnswer();
      }
      if (!isDone) logger.debug('a cluster refused a call', { call: name, status });
    } catch (error) {
      logger.info('a call to a cluster was not answered; it is repeated', {
        call: name,
        reason: messageOf(error),
      });
    }
  };

  const start = (call: ClusterCall, fate: CallFate): void => {
    const name = `${call.kind} ${call.serviceId}/${call.number}`;
    if (underWay.has(name) || answered.has(name)) return;
    underWay.add(name);
    void serially(call.serviceId, () => attempt(name, call, fate)).finally(() => underWay.delete(name));
  };

  return {
    deploy: (target, fate) => start({ kind: 'deploy', ...target }, fate),
    remove: (target, fate) => start({ kind: 'remove', ...target }, fate),
    heard: () => answered.clear(),
  };
}
