import * as z from 'zod';
import { messageOf, OakestraError } from '../errors.ts';
import { decodeUtf8, MAX_DATA_BYTES, malformed } from './frame.ts';

/** The protocol version that this build speaks. */
export const LINK_VERSION = 1;
/** The oldest protocol version that this build understands. */
const OLDEST_VERSION = 1;

const uint32 = z.int().min(0).max(0xffff_ffff);
// Leaves room to count on: numbers stay exact for as long as a link can live.
const sequence = z
  .int()
  .min(0)
  .max(2 ** 48);
const name = z.string().min(1).max(253);

const receivedSchema = z.object({
  incarnation: z.string().min(1).max(64),
  sequences: z.object({ commands: sequence, status: sequence, reports: sequence, bulk: sequence }),
});

/** The highest sequence that arrived per class, out of the messages of one incarnation. */
export type Received = z.infer<typeof receivedSchema>;

const helloSchema = z.object({
  version: uint32.min(1),
  role: name,
  name,
  incarnation: z.string().min(1).max(64),
  bootId: z.string().min(1).max(64),
  capabilities: z.array(name).max(256),
  /** Absent when the sender remembers nothing of the receiver. */
  lastReceived: receivedSchema.optional(),
  limits: z.object({
    messageBytes: uint32.min(1024),
    messageWindowBytes: uint32.min(1024),
    streamWindowBytes: uint32.min(1024),
  }),
});

/**
 * What each side says about itself when a link opens. `role` is `root`, `cluster` or `worker`; `incarnation` names the
 * store behind the sender, `bootId` the run of its process (new at each start); `limits` is what it takes: the longest
 * message, and bytes on the way that it has room for per class of messages and per opened stream.
 */
export type HelloInfo = z.infer<typeof helloSchema>;

/** The JSON of the greeting. Throws `invalid` / `link-hello` when `hello` breaks the rules or is too long. */
export function encodeHello(hello: HelloInfo): Uint8Array {
  const checked = helloSchema.safeParse(hello);
  if (!checked.success) {
    throw new OakestraError(
      'invalid',
      'link-hello',
      `the greeting of the link is invalid: ${issues(checked.error)}`,
    );
  }
  const json = Buffer.from(JSON.stringify(checked.data), 'utf8');
  if (json.length > MAX_DATA_BYTES) {
    const text = `the greeting of the link has ${json.length} bytes, at most ${MAX_DATA_BYTES} fit: announce fewer capabilities`;
    throw new OakestraError('invalid', 'link-hello', text);
  }
  return json;
}

/** Reads a greeting; unknown fields are ignored. Throws `link-malformed`, or `link-version` for a version too old. */
export function decodeHello(json: Uint8Array): HelloInfo {
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(json, 'greeting'));
  } catch (error) {
    throw error instanceof OakestraError
      ? error
      : malformed(`the greeting is no JSON (${messageOf(error)})`, error);
  }
  const parsed = helloSchema.safeParse(value);
  if (!parsed.success) throw malformed(`the greeting is invalid: ${issues(parsed.error)}`);
  if (parsed.data.version < OLDEST_VERSION) {
    const text = `the peer speaks link version ${parsed.data.version}, this build needs ${OLDEST_VERSION} or newer: upgrade the peer`;
    throw new OakestraError('unsupported', 'link-version', text);
  }
  return parsed.data;
}

function issues(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.') || 'greeting'}: ${issue.message}`).join('; ');
}
