import { describe, expect, it } from 'vitest';
import { portInLog, registryConfig } from './config.ts';

const base = { storageDirectory: '/s', address: '127.0.0.1', port: 0, httpSecret: 'x' };

describe('the configuration of the registry', () => {
  it('has TLS and a password file only when told to', () => {
    const plain = JSON.parse(registryConfig(base));
    expect(plain.http).toEqual({ addr: '127.0.0.1:0', secret: 'x' });
    expect(plain.auth).toBeUndefined();
    const full = JSON.parse(
      registryConfig({ ...base, tls: { certificateFile: '/c', keyFile: '/k' }, htpasswdFile: '/h' }),
    );
    expect(full.http.tls).toEqual({ certificate: '/c', key: '/k' });
    expect(full.auth.htpasswd.path).toBe('/h');
  });

  it('tells its port in the log', () => {
    expect(portInLog('time="x" level=info msg="listening on 127.0.0.1:41234" go.version=go1.19')).toBe(
      41_234,
    );
    expect(portInLog('msg="listening on [::]:5000, tls"')).toBe(5_000);
    expect(portInLog('nothing')).toBeUndefined();
  });
});
