declare const OAKESTRA_VERSION: string | undefined;

/** The version of this build; from source there is none. */
export const version = typeof OAKESTRA_VERSION === 'string' ? OAKESTRA_VERSION : 'source';
