const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls `action` when this process is told to end or ends. The action cannot wait for anything. After a signal the
 * process ends by it, unless someone else listens too. Returns how to forget the action.
 */
export function onInterrupt(action: () => void): () => void {
  const onExit = () => action();
  const listeners = SIGNALS.map((signal) => ({
    signal,
    listener: () => {
      forget();
      action();
      if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
    },
  }));
  const forget = () => {
    process.off('exit', onExit);
    for (const { signal, listener } of listeners) process.off(signal, listener);
  };
  process.on('exit', onExit);
  for (const { signal, listener } of listeners) process.on(signal, listener);
  return forget;
}
