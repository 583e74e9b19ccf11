// The only file that loads the X.509 library; it is imported when something is issued, not before.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { Sensitive } from '@oakestra/contracts';
import { type Random, randomHex } from '@oakestra/daemon';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { identityUri } from '../peer-identity.ts';
import { type CertificateSubject, commonName } from './certificate-subject.ts';

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' };
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' };

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface KeyAndCertificate {
  readonly certificatePem: string;
  readonly privateKeyPem: Sensitive;
}

/** 127 random bits: unpredictable, positive, and never zero in its first byte. */
function serialNumber(random: Random): string {
  const [first = '0', ...rest] = randomHex(random, 16);
  return `4${((Number.parseInt(first, 16) & 0x7) | 0x8).toString(16)}${rest.join('').slice(1)}`;
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
}

async function keyPem(key: webcrypto.CryptoKey): Promise<Sensitive> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return new Sensitive(`-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`);
}

/** As UTF-8 text, whatever it contains: a plain string would be parsed. */
function nameOf(text: string): Name {
  return new Name([{ CN: [{ utf8String: text }] }]);
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trim()}\n`;
}

/** A self-signed certificate that may sign others, but no further authorities. */
export async function createAuthorityCertificate(
  name: string,
  { notBeforeMs, notAfterMs }: Validity,
  random: Random,
): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(random),
    name: nameOf(name),
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    signingAlgorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate), privateKeyPem: await keyPem(keys.privateKey) };
}

function alternativeNames(subject: CertificateSubject): JsonGeneralNames {
  return [
    { type: 'url', value: identityUri(subject) },
    ...subject.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...subject.ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
}

export interface IssueCertificateOptions {
  readonly subject: CertificateSubject;
  readonly validity: Validity;
  readonly authorityPem: string;
  /** The authority's private key, PKCS #8. */
  readonly authorityKeyDer: Sensitive<Uint8Array>;
  readonly random: Random;
}

/** A key of its own and a certificate for it, good for both ends of a TLS connection. */
export async function issueCertificate(options: IssueCertificateOptions): Promise<KeyAndCertificate> {
  const { subject, validity, authorityPem, authorityKeyDer, random } = options;
  const authority = new X509Certificate(authorityPem);
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    authorityKeyDer.reveal(),
    keyAlgorithm,
    false,
    ['sign'],
  );
  const keys = await newKeys();
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
    new SubjectAlternativeNameExtension(alternativeNames(subject)),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(authority.publicKey),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(random),
    subject: nameOf(commonName(subject)),
    issuer: authority.subjectName,
    notBefore: new Date(validity.notBeforeMs),
    notAfter: new Date(validity.notAfterMs),
    signingAlgorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions,
  });
  return { certificatePem: pemOf(certificate), privateKeyPem: await keyPem(keys.privateKey) };
}
