import { STATUS_CODES } from 'node:http';
import { OakestraError } from '@oakestra/contracts';
import type { Problem } from '@oakestra/contracts/api';
import type { FastifyReply } from 'fastify';
import { headersOfError, internalErrorMessage, statusOfError } from './status-of-error.ts';

interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Problem;
}

/** Whatever was thrown as problem details (RFC 9457); the code is the stable part. */
export function problemOf(thrown: unknown, requestId: string): ProblemAnswer {
  const status = statusOfError(thrown) ?? 500;
  const isOurs = status === 500;
  const known = thrown instanceof OakestraError && !isOurs ? thrown : undefined;
  const code = known?.code ?? (isOurs ? 'internal-error' : 'request-refused');
  return {
    status,
    headers: isOurs ? {} : headersOfError(thrown),
    body: {
      type: `urn:oakestra:problem:${code}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code,
      detail: isOurs ? internalErrorMessage(requestId) : (thrown as Error).message,
      ...(known === undefined || known.violations.length === 0 ? {} : { violations: [...known.violations] }),
    },
  };
}

export function sendProblem(reply: FastifyReply, { status, headers, body }: ProblemAnswer): FastifyReply {
  return reply
    .code(status)
    .headers({ ...headers, 'content-type': 'application/problem+json' })
    .send(Buffer.from(JSON.stringify(body)));
}
