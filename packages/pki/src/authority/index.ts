export type { CertificateSubject } from './certificate-subject.ts';
export { type EnsureIdentityOptions, ensureIdentity, identityPaths } from './ensure-identity.ts';
export {
  type Authority,
  type CertificateRequest,
  type IssuedCertificate,
  type OpenAuthorityOptions,
  openAuthority,
} from './open-authority.ts';
