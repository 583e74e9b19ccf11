import { describeAnswers } from './testing/describe-answers.ts';

describeAnswers('SQLite');
