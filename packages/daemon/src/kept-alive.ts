const NEVER_MS = 2 ** 30;

/**
 * Keeps the process alive until the work has ended. Timers of the clock do not do that, nor does the thread of a store:
 * a process that waits for nothing else would just end.
 */
export async function keptAlive<T>(work: Promise<T>): Promise<T> {
  const keeper = setInterval(() => {}, NEVER_MS);
  try {
    return await work;
  } finally {
    clearInterval(keeper);
  }
}
