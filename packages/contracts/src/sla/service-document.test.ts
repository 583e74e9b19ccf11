import { describe, expect, it } from 'vitest';
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
