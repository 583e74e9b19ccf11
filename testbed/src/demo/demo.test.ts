import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { demoSla, withPublishedPort } from './demo.ts';

const directory = fileURLToPath(new URL('../../../examples/demo', import.meta.url));
const NAME = /^[a-zA-Z0-9]{1,30}$/;

describe('the SLA of the demo', () => {
  it('obeys the rules of the descriptor (root-api 5)', async () => {
    const sla = await demoSla({ directory });
    expect(sla.sla_version).toBe('v2.0');
    const [application] = sla.applications;
    expect(application?.application_name).toMatch(NAME);
    expect(application?.application_namespace).toMatch(NAME);
    const service = application?.microservices[0] as Record<string, unknown>;
    expect(service).toMatchObject({ microserviceID: '', virtualization: 'container', port: '8080:8080/tcp' });
    expect(service.microservice_name).toMatch(NAME);
  });

  it('takes another image and another published port, and keeps the rest', async () => {
    const plain = await demoSla({ directory });
    const sla = await demoSla({ directory, image: '127.0.0.1:5/x:1', publishedPort: 9_000 });
    expect(sla.applications[0]?.microservices[0]).toEqual({
      ...plain.applications[0]?.microservices[0],
      code: '127.0.0.1:5/x:1',
      port: '9000:8080/tcp',
    });
    expect(withPublishedPort('80', 9_000)).toBe('9000:80');
    expect(withPublishedPort('80/udp', 9_000)).toBe('9000:80/udp');
  });
});
