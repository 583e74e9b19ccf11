import type { Clock } from './clock.ts';
import { keptAlive } from './kept-alive.ts';
import { type Lifecycle, StartInterruptedError } from './lifecycle.ts';
import type { Logger } from './logger.ts';

type EndSignal = 'SIGTERM' | 'SIGINT';
const EXIT_CODE: Readonly<Record<EndSignal, number>> = { SIGINT: 130, SIGTERM: 143 };
/** How long something forgotten may keep the process alive after everything has stopped. */
const LINGER_MS = 500;

/** What is needed of `process`; tests give their own. */
export interface ProcessPort {
  on(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
  exitCode?: number | string | null | undefined;
}

export interface RunOptions {
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once everything has started. */
  readonly onStarted?: () => void;
  /** A reason of the program itself to stop in order (`down` was asked for, the input ended). */
  readonly stopSignal?: AbortSignal;
  /** Default: the process. */
  readonly process?: ProcessPort;
}

/**
 * Runs a daemon: starts it, waits for SIGTERM or SIGINT, stops it, and sets the exit code: 0 after an orderly stop,
 * 1 when the start failed or when an error that nobody handled ended it. A second signal ends the process at once
 * (130 or 143). If something keeps the process alive after the stop, it is ended. Resolves with the exit code.
 */
export async function runUntilSignal(options: RunOptions): Promise<number> {
  const { lifecycle, logger, clock, process: port = process as ProcessPort } = options;
  const end = createEnding();
  let exitCode = 0;

  const onSignal = (name: EndSignal) => () => {
    if (end.isRequested()) {
      logger.warn('second signal, ending at once', { signal: name });
      port.exit(EXIT_CODE[name]);
      return;
    }
    logger.info('stopping', { signal: name });
    end.request(`received ${name}`);
  };
  const onUnhandled = (kind: string) => (error: unknown) => {
    exitCode = 1;
    logger.error(`${kind}: this is a defect, please report it; the daemon stops`, { error });
    end.request(kind);
  };
  const listeners = {
    SIGTERM: onSignal('SIGTERM'),
    SIGINT: onSignal('SIGINT'),
    uncaughtException: onUnhandled('uncaught exception'),
    unhandledRejection: onUnhandled('unhandled rejection'),
  };
  for (const [event, listener] of Object.entries(listeners)) port.on(event, listener);
  const onStopAsked = () => end.request('stop was asked for');
  options.stopSignal?.addEventListener('abort', onStopAsked, { once: true });
  if (options.stopSignal?.aborted === true) onStopAsked();

  try {
    await keptAlive(Promise.race([lifecycle.start(), end.requested]));
    if (!end.isRequested()) options.onStarted?.();
  } catch (error) {
    if (!(error instanceof StartInterruptedError)) {
      exitCode = 1;
      logger.error('could not start', { error });
      end.request('could not start');
    }
  }
  const report = await keptAlive(end.requested.then((reason) => lifecycle.stop(reason)));
  logger.info('stopped', { reason: report.reason });
  port.exitCode = exitCode;
  options.stopSignal?.removeEventListener('abort', onStopAsked);
  // The timer does not keep the process alive: it fires only if something else does. Signals stay handled so long.
  clock.setTimer(report.abandoned.length > 0 ? 0 : LINGER_MS, () => port.exit(exitCode));
  return exitCode;
}

function createEnding() {
  let request: (reason: string) => void = () => {};
  let isRequested = false;
  const requested = new Promise<string>((resolve) => {
    request = resolve;
  });
  return {
    requested,
    isRequested: () => isRequested,
    request(reason: string) {
      isRequested = true;
      request(reason);
    },
  };
}
