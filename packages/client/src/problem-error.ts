import type { Problem } from '@oakestra/contracts/api';

/** The server refused; `problem.code` is for programs, the message for people. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** What a proxy in between, or a server of another kind, may answer is made into a problem too. */
export function problemFrom(status: number, text: string): Problem {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    if (typeof problem?.code === 'string' && typeof problem.detail === 'string') return problem as Problem;
  } catch {
    // No JSON: told below.
  }
  return {
    type: 'urn:oakestra:problem:answer-strange',
    title: 'Strange answer',
    status,
    code: 'answer-strange',
    detail: `The server answered ${status} and nothing that this program understands: is it an Oakestra root?`,
  };
}
