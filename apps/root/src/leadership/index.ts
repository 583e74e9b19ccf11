export {
  type Leader,
  type Leadership,
  leadAlone,
  notLeading,
  type SharedLeadership,
  shareLeadership,
  type Term,
  whileLeading,
} from './leadership.ts';
