import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deployCommandSchema } from '../tier-messages.ts';
import { parseSla } from './parse.ts';
import type { SlaMicroservice } from './schema.ts';
import { serviceDocumentFrom } from './service-document.ts';

const ids = { service: '6b02a03a1c5b34961e7f5585', application: '6b02a03a1c5b34961e7f5584' };
const application = { name: 'clientsrvr', namespace: 'test' };
const microservice: SlaMicroservice = {
  microservice_name: 'nginx',
  microservice_namespace: 'prod',
  virtualization: 'container',
  code: 'docker.io/library/nginx:latest',
};
const from = (fields: object = {}) =>
  serviceDocumentFrom({ application, microservice: { ...microservice, ...fields }, ids });

describe('the stored document of a service', () => {
  it('has the derived fields beside all submitted ones', () => {
    expect(from({ port: '6080:80/tcp', own: { kept: true } })).toEqual({
      microservice_name: 'nginx',
      microservice_namespace: 'prod',
      virtualization: 'docker',
      code: 'docker.io/library/nginx:latest',
      image: 'docker.io/library/nginx:latest',
      port: '6080:80/tcp',
      own: { kept: true },
      microserviceID: ids.service,
      applicationID: ids.application,
      job_name: 'clientsrvr.test.nginx.prod',
      app_name: 'clientsrvr',
      app_ns: 'test',
      service_name: 'nginx',
      service_ns: 'prod',
    });
  });

  it.each(['docker', 'unikernel', 'runsc'])('leaves the virtualization %s as it is', (virtualization) => {
    expect(from({ virtualization }).virtualization).toBe(virtualization);
  });

  it('shows the wished addresses only where addresses were given', () => {
    expect(from({ addresses: { rr_ip: '10.30.30.30' } })).toMatchObject({
      RR_ip: '10.30.30.30',
      RR_ip_v6: null,
    });
    expect(from({ addresses: { rr_ip: '' } })).toMatchObject({ RR_ip: null, RR_ip_v6: null });
    expect(from()).not.toHaveProperty('RR_ip');
  });

  it('spells addresses as everybody compares them', () => {
    expect(from({ addresses: { rr_ip_v6: 'FDFF:2000:0:0::1' } })).toMatchObject({ RR_ip_v6: 'fdff:2000::1' });
  });

  it('carries unknown fields of every level unchanged down to the worker', () => {
    const unknown = fc.dictionary(
      fc.string({ minLength: 1 }).map((key) => `own ${key}`),
      fc.jsonValue({ maxDepth: 2 }),
      { maxKeys: 3 },
    );
    fc.assert(
      fc.property(unknown, (own) => {
        const extra: object = JSON.parse(JSON.stringify(own));
        const fields = {
          ...extra,
          addresses: { ...extra, instances: [extra] },
          constraints: [{ type: 'x', ...extra }],
          connectivity: [{ target_microservice_id: 'x', con_constraints: [], ...extra }],
          volumes: [{ volume_id: 'v', csi_driver: 'd', config: {}, ...extra }],
        };
        const parsed = parseSla({
          ...{ sla_version: 'v2.0', customerID: 'Admin' },
          applications: [
            {
              ...{ application_name: 'a', application_namespace: 'b' },
              microservices: [{ ...microservice, ...fields }],
            },
          ],
        });
        const [checked] = (parsed.ok && parsed.sla.applications[0]?.microservices) || [];
        const document = serviceDocumentFrom({ application, microservice: checked as SlaMicroservice, ids });
        const command = {
          ...{ type: 'deploy', key: `${ids.service}/0`, epoch: { root: 1, cluster: 1 } },
          ...{ document, ownerUserId: 'x' },
        };
        const received = deployCommandSchema.parse(JSON.parse(JSON.stringify(command)));
        expect(received.document).toMatchObject(fields);
      }),
    );
  });

  it('takes over no state that a submitter made up', () => {
    const forged = {
      _id: 'x',
      microserviceID: '',
      applicationID: 'foreign',
      job_name: 'a.b.c.d',
      image: 'other',
      status: 'RUNNING',
      status_detail: 'x',
      instance_list: [{}],
      next_instance_progressive_number: 7,
      RR_ip: '10.30.0.1',
    };
    expect(from(forged)).toEqual(from());
  });
});
