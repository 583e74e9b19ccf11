import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sensitive } from '../../sensitive.ts';
import type { GrpcTls } from './tls.ts';

/** Makes certificates with the `openssl` program, for tests only. */
export interface TestAuthority {
  /** A certificate with `name` as common name, valid for that name and for loopback. */
  issue(name: string): GrpcTls;
  dispose(): void;
}

export function createTestAuthority(): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'oakestra-link-'));
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...curve,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-subj',
    '/CN=test',
    '-days',
    '2',
  );
  return {
    issue(name) {
      const key = at(`${name}.key`);
      const certificate = at(`${name}.pem`);
      openssl(
        ...[
          'req',
          '-x509',
          ...curve,
          '-keyout',
          key,
          '-out',
          certificate,
          '-subj',
          `/CN=${name}`,
          '-days',
          '2',
        ],
        ...['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-addext', 'basicConstraints=critical,CA:FALSE'],
        ...['-addext', `subjectAltName=DNS:${name},DNS:localhost,IP:127.0.0.1,IP:::1`],
      );
      return {
        caPem: readFileSync(at('ca.pem'), 'utf8'),
        certificatePem: readFileSync(certificate, 'utf8'),
        keyPem: new Sensitive(readFileSync(key, 'utf8')),
      };
    },
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
}
