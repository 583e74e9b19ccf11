export {
  type Candidate,
  type FitWords,
  firstFit,
  type PlacementDecision,
  type PlacementRequest,
} from './first-fit.ts';
