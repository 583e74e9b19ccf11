import type { Logger } from '@oakestra/daemon';
import type { FastifyInstance } from 'fastify';
import { createHttpApp } from '../http/index.ts';
import { type ClassicFaceParts, classicFace, sendClassicError } from './classic-face.ts';

/** The classic face alone, without a listener. */
export function createClassicFace(parts: ClassicFaceParts & { readonly logger: Logger }): FastifyInstance {
  const { logger } = parts;
  return createHttpApp({ faces: [classicFace(parts)], logger, cors: 'any', refuse: sendClassicError });
}
