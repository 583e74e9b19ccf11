import type { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';

/** What a holder of one of our certificates is. */
export const peerRoles = ['root', 'cluster', 'worker', 'client'] as const;
export type PeerRole = (typeof peerRoles)[number];

/** Who a peer is, as its certificate says. `name` is unique per role within one authority. */
export interface PeerIdentity {
  readonly role: PeerRole;
  readonly name: string;
}

const identityPattern = /^oakestra:\/\/([a-z]+)\/([^/?#]+)$/;
/** One entry of Node's text form of the subject alternative names; doubtful values come quoted as in JSON. */
const entryPattern = /([A-Za-z][A-Za-z ]*):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;

function isPeerRole(text: string): text is PeerRole {
  return (peerRoles as readonly string[]).includes(text);
}

/** The URI that carries an identity in a certificate. */
export function identityUri({ role, name }: PeerIdentity): string {
  return `oakestra://${role}/${encodeURIComponent(name)}`;
}

function parseIdentityUri(uri: string): PeerIdentity | undefined {
  const [, role, encodedName] = identityPattern.exec(uri) ?? [];
  if (role === undefined || encodedName === undefined || !isPeerRole(role)) {
    return undefined;
  }
  let name: string;
  try {
    name = decodeURIComponent(encodedName);
  } catch {
    return undefined;
  }
  // One identity has one spelling.
  return encodeURIComponent(name) === encodedName ? { role, name } : undefined;
}

/** The URIs among the alternative names; undefined when the text is not entirely understood. */
function alternativeUris(text: string): readonly string[] | undefined {
  const uris: string[] = [];
  entryPattern.lastIndex = 0;
  while (entryPattern.lastIndex < text.length) {
    const [, kind, value] = entryPattern.exec(text) ?? [];
    if (kind === undefined || value === undefined) {
      return undefined;
    }
    if (kind === 'URI') {
      uris.push(value);
    }
  }
  return uris;
}

/**
 * The identity in a certificate, or undefined when there is not exactly one in exactly our form. It is worth
 * nothing unless TLS has verified that our own authority issued the certificate; that is up to the caller.
 */
export function peerIdentity(certificate: X509Certificate | PeerCertificate): PeerIdentity | undefined {
  const names =
    'subjectAltName' in certificate
      ? certificate.subjectAltName
      : 'subjectaltname' in certificate
        ? certificate.subjectaltname
        : undefined;
  const uris = names === undefined ? undefined : alternativeUris(names);
  const [uri] = uris ?? [];
  return uris?.length === 1 && uri !== undefined ? parseIdentityUri(uri) : undefined;
}
