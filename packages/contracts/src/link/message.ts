import * as z from 'zod';
import { messageOf, OakestraError } from '../errors.ts';
import type { LinkClass } from './classes.ts';
import { decodeUtf8, malformed } from './frame.ts';

const counter = z.int().min(0);

/** Placement epoch, ordered by root, then cluster. */
const epochSchema = z.object({ root: counter, cluster: counter });
export type LinkEpoch = z.infer<typeof epochSchema>;

const envelopeSchema = z.object({
  sequence: counter.min(1),
  epoch: epochSchema.optional(),
  /** Milliseconds that were left when the message left its sender: no clock is shared. */
  deadlineMs: z.number().min(0).optional(),
  type: z.string().min(1).max(128),
  body: z.unknown(),
});

/** A message as it is on the wire. The incarnation is not repeated: the sender's HELLO says it for all its messages. */
export type Envelope = z.infer<typeof envelopeSchema>;

/** A message that arrived. */
export interface LinkMessage {
  readonly linkClass: LinkClass;
  /** Counts the messages of the sender's incarnation in this class, over all its links, from 1. */
  readonly sequence: number;
  /** Incarnation of the sender's store. */
  readonly incarnation: string;
  readonly epoch: LinkEpoch | undefined;
  /** When the message becomes worthless, on the receiver's monotonic clock in milliseconds. */
  readonly expiresAtMs: number | undefined;
  readonly type: string;
  /** JSON as it came; check it against the schema of `type`. */
  readonly body: unknown;
}

/** The part of an envelope that is known only when the message leaves. */
export interface EnvelopeHead {
  readonly sequence: number;
  readonly epoch?: LinkEpoch | undefined;
  readonly deadlineMs?: number | undefined;
  readonly type: string;
}

/** Room that the limit of a message leaves for its head: sequence, epoch, deadline, type. */
export const HEAD_BYTES = 1024;

/** JSON text of a body, taken when it is sent so that later changes do not matter. `undefined` becomes `null`. */
export function bodyText(type: string, body: unknown): string {
  try {
    return JSON.stringify(body) ?? 'null';
  } catch (error) {
    const text = `the body of ${type} cannot be written as JSON: ${messageOf(error)}`;
    throw new OakestraError('invalid', 'link-message-body', text, { cause: error });
  }
}

/** The bytes of an envelope around a body that is JSON text already. */
export function encodeEnvelope(head: EnvelopeHead, bodyJson: string): Uint8Array {
  return Buffer.from(`${JSON.stringify(head).slice(0, -1)},"body":${bodyJson}}`, 'utf8');
}

/** Reads an envelope; unknown fields are ignored. Throws `link-malformed`. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes, 'message'));
  } catch (error) {
    throw error instanceof OakestraError
      ? error
      : malformed(`a message is no JSON (${messageOf(error)})`, error);
  }
  const parsed = envelopeSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw malformed(`a message is invalid: ${issue?.path.join('.') || 'message'}: ${issue?.message}`);
}
