import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ErrorKind, messageOf, OakestraError, Sensitive } from '@oakestra/contracts';
import { type PeerIdentity, peerIdentity } from './peer-identity.ts';

/** What a daemon needs to prove who it is and to check others. */
export interface TlsIdentity {
  /** Certificate of the authority that both sides trust. */
  readonly caPem: string;
  readonly certificatePem: string;
  readonly keyPem: Sensitive;
  readonly identity: PeerIdentity;
  /** End of the certificate's validity, Unix milliseconds. */
  readonly expiresAtMs: number;
}

export interface TlsIdentityPaths {
  readonly caPath: string;
  readonly certificatePath: string;
  readonly keyPath: string;
}

const renew =
  'Issue the certificate again (`oakestra up` does it by itself) or point the setting to another file.';

function fault(kind: ErrorKind, code: string, text: string, path: string, cause?: unknown): OakestraError {
  return new OakestraError(kind, code, text, { cause, details: { path } });
}

async function readPem(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      throw fault(
        'not-found',
        'tls-file-missing',
        `The ${what} ${path} does not exist. ${renew}`,
        path,
        error,
      );
    }
    const hint = code === 'EACCES' ? 'Run as the owner of the file, or correct its mode.' : 'Check the path.';
    const text = `The ${what} ${path} cannot be read (${messageOf(error)}). ${hint}`;
    throw fault('unavailable', 'tls-file-unreadable', text, path, error);
  }
}

function parseCertificate(pem: string, what: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    const text = `The ${what} ${path} is not a certificate in PEM form. ${renew}`;
    throw fault('invalid', 'tls-file-invalid', text, path, error);
  }
}

/** True when `authority` issued `certificate`, by name and by signature. */
function isIssuedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** The checks of {@link readTlsIdentity} on texts that are there already. `paths` are for the messages. */
export function parseTlsIdentity(
  pems: { readonly caPem: string; readonly certificatePem: string; readonly keyPem: Sensitive },
  { caPath, certificatePath, keyPath }: TlsIdentityPaths,
): TlsIdentity {
  const ca = parseCertificate(pems.caPem, 'certificate of the authority', caPath);
  const certificate = parseCertificate(pems.certificatePem, 'certificate', certificatePath);
  const identity = peerIdentity(certificate);
  if (identity === undefined) {
    const text = `The certificate ${certificatePath} does not say what it is for (no oakestra:// name). ${renew}`;
    throw fault('invalid', 'tls-identity-missing', text, certificatePath);
  }
  if (!ca.ca || !isIssuedBy(certificate, ca)) {
    const text = `The certificate ${certificatePath} was not issued by the authority in ${caPath}. ${renew}`;
    throw fault('invalid', 'tls-files-mismatch', text, certificatePath);
  }
  let isOwnKey: boolean;
  try {
    isOwnKey = certificate.checkPrivateKey(createPrivateKey(pems.keyPem.reveal()));
  } catch {
    // No cause: the parser's error might quote what it read.
    const text = `The key ${keyPath} is not a private key in PEM form. ${renew}`;
    throw fault('invalid', 'tls-file-invalid', text, keyPath);
  }
  if (!isOwnKey) {
    const text = `The key ${keyPath} does not belong to the certificate ${certificatePath}. ${renew}`;
    throw fault('invalid', 'tls-files-mismatch', text, keyPath);
  }
  return { ...pems, identity, expiresAtMs: Date.parse(certificate.validTo) };
}

/**
 * Reads and checks the three files. Errors name the file: `tls-file-missing`, `tls-file-unreadable`,
 * `tls-file-invalid`, `tls-identity-missing`, `tls-files-mismatch`. An expired certificate is not an error here:
 * the peer judges that.
 */
export async function readTlsIdentity(paths: TlsIdentityPaths): Promise<TlsIdentity> {
  const caPem = await readPem(paths.caPath, 'certificate of the authority');
  const certificatePem = await readPem(paths.certificatePath, 'certificate');
  const keyPem = new Sensitive(await readPem(paths.keyPath, 'key'));
  return parseTlsIdentity({ caPem, certificatePem, keyPem }, paths);
}
