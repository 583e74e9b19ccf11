import {
  createLifecycle,
  createLogger,
  type Logger,
  runUntilSignal,
  systemClock,
  systemRandom,
} from '@oakestra/daemon';
import type { DaemonContext, Machine } from './tier.ts';

export interface DaemonOptions {
  /** Component of its log lines. */
  readonly name: string;
  readonly settings: {
    readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
    readonly logFormat: 'auto' | 'json' | 'text';
  };
  /** What loading the settings had to say. */
  readonly warnings: readonly string[];
  readonly machine: Machine;
  compose(context: DaemonContext): void;
  readonly onStarted?: (logger: Logger) => void;
}

/** Runs what `compose` adds until the process is told to stop. Resolves to the exit code. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { name, settings, warnings, machine } = options;
  const { logLevel: level, logFormat: format } = settings;
  const logger = createLogger({ level, format, fields: { component: name } });
  for (const warning of warnings) logger.warn(warning);
  const clock = systemClock();
  const lifecycle = createLifecycle({ logger, clock });
  const giveUp = new AbortController();
  const exitCodeOf = (code: number) => (giveUp.signal.aborted ? 1 : code);
  options.compose({
    lifecycle,
    logger,
    clock,
    random: systemRandom(),
    onFatal(error) {
      logger.error('cannot go on; the daemon stops', { error });
      giveUp.abort();
    },
  });
  const { process: port } = machine;
  const exitCode = await runUntilSignal({
    lifecycle,
    logger,
    clock,
    stopSignal: giveUp.signal,
    onStarted: () => options.onStarted?.(logger),
    process: { on: port.on.bind(port), exit: (code) => port.exit(exitCodeOf(code)) },
  });
  return exitCodeOf(exitCode);
}
