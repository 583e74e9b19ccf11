import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';

/** Requests that another root passed on, and where they came from before that. */
const passedOn = new WeakMap<IncomingMessage, string>();

/** For the door between roots, once it knows that a root speaks. */
export function markPassedOn(request: IncomingMessage, callerAddress: string): void {
  passedOn.set(request, callerAddress);
}

export function isPassedOn(request: FastifyRequest): boolean {
  return passedOn.has(request.raw);
}

/** IP address of whoever asks, also when another root passed the request on. */
export function callerAddress(request: FastifyRequest): string {
  return passedOn.get(request.raw) ?? request.socket.remoteAddress ?? '';
}
