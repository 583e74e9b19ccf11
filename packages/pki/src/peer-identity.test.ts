import type { PeerCertificate } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { identityUri, type PeerRole, peerIdentity, peerRoles } from './peer-identity.ts';

/** A certificate as TLS shows it, with these alternative names. */
const withNames = (subjectaltname: string) => ({ subjectaltname }) as PeerCertificate;

describe('the identity of a peer', () => {
  it('survives the way through a URI, for every role and name', () => {
    const names = fc.string({ minLength: 1, unit: 'grapheme' });
    fc.assert(
      fc.property(fc.constantFrom<PeerRole>(...peerRoles), names, (role, name) => {
        const certificate = withNames(
          `DNS:localhost, URI:${identityUri({ role, name })}, IP Address:127.0.0.1`,
        );
        expect(peerIdentity(certificate)).toEqual({ role, name });
      }),
    );
  });

  it('is what the URI says and nothing else', () => {
    const refused = [
      '',
      'DNS:root',
      'URI:oakestra://admin/a',
      'URI:oakestra://root/',
      'URI:oakestra://root/a/b',
      'URI:oakestra://root/a?x',
      'URI:oakestra://root/a#x',
      'URI:oakestra://root/%zz',
      'URI:oakestra://root/%61',
      'URI:OAKESTRA://root/a',
      'URI:https://root/a',
      'URI: oakestra://root/a',
      'URI:"oakestra://root/a"',
      'URI:oakestra://root/a, URI:oakestra://worker/a',
      'URI:oakestra://root/a, URI:https://example.org',
      'URI:oakestra://root/a; and more "',
    ];
    for (const names of refused) {
      expect([names, peerIdentity(withNames(names))]).toEqual([names, undefined]);
    }
    expect(peerIdentity({} as PeerCertificate)).toBeUndefined();
  });

  it('cannot be smuggled in through another name', () => {
    const smuggled = 'DNS:"a, URI:oakestra://root/a, DNS:b", URI:oakestra://worker/real';
    expect(peerIdentity(withNames(smuggled))).toEqual({ role: 'worker', name: 'real' });
    expect(peerIdentity(withNames('DNS:"a\\", URI:oakestra://root/a, DNS:b"'))).toBeUndefined();
  });
});
