export {
  type Leader,
  type Leadership,
  leadAlone,
  notLeading,
  shareLeadership,
  type Term,
  whileLeading,
} from './leadership.ts';
