import { isStatusWord, type StatusWord } from '../status.ts';

/**
 * A word that every old client knows (root-api 7: one of them ends on an unknown word). Words of the migration
 * branch mean an instance that runs while it is moved; anything else, the legacy numbers too, that nothing is
 * decided yet.
 */
export function classicStatus(word: unknown): StatusWord {
  if (isStatusWord(word)) return word;
  return typeof word === 'string' && word.startsWith('MIGRATION_') ? 'RUNNING' : 'REQUESTED';
}
