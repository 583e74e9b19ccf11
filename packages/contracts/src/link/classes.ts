/** Traffic classes of a link, the most urgent first. A class never waits for a less urgent one. */
export const LINK_CLASSES = ['commands', 'status', 'reports', 'bulk'] as const;

/** `commands` before `status` before `reports` before `bulk` (logs, exec, files). */
export type LinkClass = (typeof LINK_CLASSES)[number];

/** A value for each class. */
export type PerClass<T> = Record<LinkClass, T>;

/** Builds a value for each class. */
export function perClass<T>(make: (linkClass: LinkClass, index: number) => T): PerClass<T> {
  return {
    commands: make('commands', 0),
    status: make('status', 1),
    reports: make('reports', 2),
    bulk: make('bulk', 3),
  };
}

/** Number of the stream that a frame means when it means the link as a whole. */
export const LINK_STREAM = 0;

/** The stream that carries the messages of a class; it needs no opening and never ends. */
export function messageStreamId(linkClass: LinkClass): number {
  return LINK_CLASSES.indexOf(linkClass) + 1;
}

/** Opened byte streams: even numbers from 16 belong to the dialling side, odd ones from 17 to the accepting side. */
export const FIRST_STREAM = { dialer: 16, acceptor: 17 } as const;

/** Which end of the connection this is: the one that dialled or the one that accepted. */
export type LinkSide = keyof typeof FIRST_STREAM;
