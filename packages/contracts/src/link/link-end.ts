import type { ByeReason } from './frame.ts';

const RESET_CODES = { cancelled: 1, refused: 2, protocol: 3, limit: 4, internal: 5 } as const;

/** Why a stream was cut short: no longer wanted, not accepted, rules broken, too much, or a fault of the sender. */
export type LinkResetCode = keyof typeof RESET_CODES;

export function resetCodeNumber(code: LinkResetCode): number {
  return RESET_CODES[code];
}

/** The code of a number on the wire; a number of a later version counts as `internal`. */
export function resetCodeOf(number: number): LinkResetCode {
  for (const [code, value] of Object.entries(RESET_CODES)) {
    if (value === number) return code as LinkResetCode;
  }
  return 'internal';
}

/**
 * How a link ended. `closed`: this side closed it without a word. `bye`: announced; with `restarting` the peer comes
 * back within `graceMs`. `reset`: the connection broke, which counts as a failure. `silent`: nothing was heard for
 * `silentMs`. `error`: one side broke the rules, or refused the other.
 */
export type LinkEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'bye'; readonly by: 'us' | 'peer'; readonly reason: ByeReason; readonly graceMs: number }
  | { readonly kind: 'reset'; readonly message: string }
  | { readonly kind: 'silent'; readonly silentMs: number }
  | { readonly kind: 'error'; readonly by: 'us' | 'peer'; readonly code: string; readonly message: string };

/** One line for logs and messages. */
export function describeLinkEnd(end: LinkEnd): string {
  switch (end.kind) {
    case 'closed':
      return 'the link was closed here';
    case 'bye':
      return end.by === 'us'
        ? `this side said goodbye (${end.reason})`
        : `the peer said goodbye (${end.reason}, grace ${end.graceMs} ms)`;
    case 'reset':
      return `the connection broke: ${end.message}`;
    case 'silent':
      return `nothing was heard from the peer for ${Math.round(end.silentMs)} ms`;
    case 'error':
      return end.by === 'us' ? end.message : `the peer ended the link: ${end.message}`;
  }
}
