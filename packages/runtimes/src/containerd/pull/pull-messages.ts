import { type ErrorKind, messageOf, OakestraError, Sensitive } from '@oakestra/contracts';
import type { Descriptor } from '../../images/manifest.ts';
import type { Platform } from '../../images/platform.ts';
import type { ImageReference } from '../../images/reference.ts';
import type { Registries, RegistryCredentials, RegistrySettings } from '../../images/registry-settings.ts';
import type { ImageProgress } from '../../runtime.ts';
import type { UnpackedImage } from './local-image.ts';

/** What the child is asked: one line of JSON on its standard input, secrets included. */
export interface PullOrder {
  readonly socketPath: string;
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string;
  readonly reference: ImageReference;
  readonly root: Descriptor;
  readonly platform: Platform;
  readonly isHostPlatform: boolean;
  readonly imageName: string;
  readonly credentials?: RegistryCredentials;
  readonly registries: Registries;
}

/** What it says: one line of JSON each on its standard output; the last one is not `progress`. */
export type PullReport =
  | { readonly kind: 'progress'; readonly progress: ImageProgress }
  | { readonly kind: 'done'; readonly image: UnpackedImage }
  | { readonly kind: 'failed'; readonly error: OakestraError };

interface PlainCredentials {
  readonly username: string;
  readonly password: string;
}
type PlainSettings = Omit<RegistrySettings, 'credentials'> & { readonly credentials?: PlainCredentials };
type PlainOrder = Omit<PullOrder, 'credentials' | 'registries'> & {
  readonly credentials?: PlainCredentials;
  readonly registries: Readonly<Record<string, PlainSettings>>;
};
interface PlainError {
  readonly errorKind: ErrorKind;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export function encodeOrder(order: PullOrder): string {
  const { credentials, registries, ...rest } = order;
  const plain: PlainOrder = {
    ...rest,
    ...(credentials === undefined ? {} : { credentials: bare(credentials) }),
    registries: mapSettings(registries, ({ credentials: own, ...settings }) =>
      own === undefined ? settings : { ...settings, credentials: bare(own) },
    ),
  };
  return `${JSON.stringify(plain)}\n`;
}

/** The order comes from our own parent process, so its shape is not checked again. */
export function decodeOrder(line: string): PullOrder {
  const { credentials, registries, ...rest } = JSON.parse(line) as PlainOrder;
  return {
    ...rest,
    ...(credentials === undefined ? {} : { credentials: wrapped(credentials) }),
    registries: mapSettings(registries, ({ credentials: own, ...settings }) =>
      own === undefined ? settings : { ...settings, credentials: wrapped(own) },
    ),
  };
}

export function encodeReport(report: PullReport): string {
  if (report.kind !== 'failed') return `${JSON.stringify(report)}\n`;
  const { kind: errorKind, code, message, details } = report.error;
  const error: PlainError = { errorKind, code, message, details };
  return `${JSON.stringify({ kind: 'failed', error })}\n`;
}

/** Undefined for a line that is none of ours. */
export function decodeReport(line: string): PullReport | undefined {
  let plain:
    | Exclude<PullReport, { kind: 'failed' }>
    | { readonly kind: 'failed'; readonly error: PlainError };
  try {
    plain = JSON.parse(line) as typeof plain;
  } catch {
    return undefined;
  }
  if (plain?.kind === 'progress' || plain?.kind === 'done') return plain;
  if (plain?.kind !== 'failed') return undefined;
  const { errorKind, code, message, details } = plain.error;
  return { kind: 'failed', error: new OakestraError(errorKind, code, message, { details }) };
}

/** Any failure as an error that can be sent. */
export function sendableError(thrown: unknown): OakestraError {
  if (thrown instanceof OakestraError) return thrown;
  return new OakestraError(
    'internal',
    'image-pull-failed',
    `Pulling the image failed: ${messageOf(thrown)}`,
    {
      cause: thrown,
    },
  );
}

const bare = ({ username, password }: RegistryCredentials): PlainCredentials => ({
  username,
  password: password.reveal(),
});
const wrapped = ({ username, password }: PlainCredentials): RegistryCredentials => ({
  username,
  password: new Sensitive(password),
});

function mapSettings<From, To>(
  settings: Readonly<Record<string, From>>,
  change: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(settings).map(([host, value]) => [host, change(value)]));
}
