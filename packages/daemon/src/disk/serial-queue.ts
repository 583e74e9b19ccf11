/** Runs actions one after the other in the order of the calls; the failure of one does not touch the next. */
export function createSerialQueue(): <T>(action: () => Promise<T> | T) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(action: () => Promise<T> | T) => {
    const result = last.then(action);
    last = result.catch(() => {});
    return result;
  };
}
