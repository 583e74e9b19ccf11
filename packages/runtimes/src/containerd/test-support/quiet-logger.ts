import type { Logger } from '@oakestra/daemon';

const nothing = (): void => {};

export const quietLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  child: () => quietLogger,
};
