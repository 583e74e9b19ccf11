import { describe, expect, it } from 'vitest';
import {
  applicationToWire,
  type ClassicCluster,
  type ClassicInstance,
  classicStatus,
  clusterToWire,
  encodeBody,
  instanceToWire,
  serviceToWire,
} from '../../src/classic/index.ts';
import { parseSla, serviceDocumentFrom } from '../../src/sla/index.ts';
import { STATUS_WORDS } from '../../src/status.ts';

const applicationId = '6b02a03a1c5b34961e7f5584';
const serviceId = '6b02a03a1c5b34961e7f5585';

const silentInstance: ClassicInstance = {
  number: 0,
  clusterId: '6b02a0761c5b34961e7f558b',
  clusterLocation: '48.1,11.6,1000',
  status: 'CLUSTER_SCHEDULED',
  statusDetail: '',
  workerId: undefined,
  workerAddress: undefined,
  workerPort: undefined,
  cpuPercent: undefined,
  memoryBytes: undefined,
  diskBytes: undefined,
  logs: '',
  modifiedAtMs: undefined,
};

describe('an application (root-api 4.4)', () => {
  const application = {
    id: applicationId,
    document: {},
    name: 'clientsrvr',
    namespace: 'test',
    description: 'demo',
    serviceIds: [serviceId],
    ownerName: 'Admin',
  };

  it('is the example of the reference, byte for byte', () => {
    expect(encodeBody('text', applicationToWire(application)).text).toBe(
      '{"_id": {"$oid": "6b02a03a1c5b34961e7f5584"}, "applicationID": "6b02a03a1c5b34961e7f5584", ' +
        '"application_name": "clientsrvr", "application_namespace": "test", "application_desc": "demo", ' +
        '"microservices": ["6b02a03a1c5b34961e7f5585"], "userId": "Admin"}',
    );
  });

  it('keeps extra fields, but lets none of them pose as one of ours', () => {
    const document = { own: [1], userId: 'mallory', _id: 'x', microservices: [] };
    expect(applicationToWire({ ...application, document })).toEqual({
      ...applicationToWire(application),
      own: [1],
    });
  });
});

describe('a service (root-api 4.5)', () => {
  const parsed = parseSla({
    sla_version: 'v2.0',
    customerID: 'Admin',
    applications: [
      {
        application_name: 'clientsrvr',
        application_namespace: 'test',
        microservices: [
          {
            microservice_name: 'nginx',
            microservice_namespace: 'test',
            virtualization: 'container',
            code: 'docker.io/library/nginx:latest',
            cmd: [],
            memory: 100,
            vcpus: 1,
            port: '6080:80/tcp',
            addresses: { rr_ip: '10.30.30.30' },
          },
        ],
      },
    ],
  });
  const microservice = parsed.ok ? parsed.sla.applications[0]?.microservices[0] : undefined;
  if (microservice === undefined) throw new Error('the example of the reference is a valid SLA');
  const document = serviceDocumentFrom({
    application: { name: 'clientsrvr', namespace: 'test' },
    microservice,
    ids: { service: serviceId, application: applicationId },
  });
  const registered = {
    id: serviceId,
    document,
    nextInstanceNumber: 0,
    status: undefined,
    statusDetail: '',
    instances: [],
  };

  it('is the example of the reference after registration', () => {
    expect(serviceToWire(registered)).toEqual({
      _id: { $oid: serviceId },
      microserviceID: serviceId,
      applicationID: applicationId,
      job_name: 'clientsrvr.test.nginx.test',
      microservice_name: 'nginx',
      microservice_namespace: 'test',
      app_name: 'clientsrvr',
      app_ns: 'test',
      service_name: 'nginx',
      service_ns: 'test',
      virtualization: 'docker',
      code: 'docker.io/library/nginx:latest',
      image: 'docker.io/library/nginx:latest',
      cmd: [],
      memory: 100,
      vcpus: 1,
      port: '6080:80/tcp',
      addresses: { rr_ip: '10.30.30.30' },
      RR_ip: '10.30.30.30',
      RR_ip_v6: null,
      next_instance_progressive_number: 0,
      instance_list: [],
    });
  });

  it('shows a status from the first deployment on', () => {
    const deployed = { ...registered, status: 'REQUESTED', statusDetail: 'Waiting for scheduling decision' };
    expect(serviceToWire({ ...deployed, nextInstanceNumber: 1 })).toMatchObject({
      status: 'REQUESTED',
      status_detail: 'Waiting for scheduling decision',
      next_instance_progressive_number: 1,
    });
  });
});

describe('an instance (root-api 6.3, Q33, Q34)', () => {
  it('has every field before the cluster reported anything', () => {
    expect(encodeBody('text', instanceToWire(silentInstance)).text).toBe(
      '{"instance_number": 0, "cluster_id": "6b02a0761c5b34961e7f558b", "cluster_location": "48.1,11.6,1000", ' +
        '"status": "CLUSTER_SCHEDULED", "status_detail": "", "publicip": "--", "worker_id": null, ' +
        '"host_ip": null, "host_port": null, "cpu_percent": null, "memory_percent": null, "disk": null, ' +
        '"logs": "", "last_modified_timestamp": null, "cpu_history": [], "memory_history": []}',
    );
  });

  it('gives figures as decimal text, ports as integers and times in seconds', () => {
    const instance = {
      ...silentInstance,
      status: 'RUNNING',
      workerId: '6b02a0761c5b34961e7f558c',
      workerAddress: '192.0.2.9',
      workerPort: 50103,
      cpuPercent: 0.512,
      memoryBytes: 52_428_800,
      diskBytes: 40_960,
      logs: 'ready\n',
      modifiedAtMs: 1_795_334_263_360,
      cpuHistory: [{ value: '0.512000', atMs: 1_795_334_263_360 }],
    };
    expect(encodeBody('text', instanceToWire(instance)).text).toBe(
      '{"instance_number": 0, "cluster_id": "6b02a0761c5b34961e7f558b", "cluster_location": "48.1,11.6,1000", ' +
        '"status": "RUNNING", "status_detail": "", "publicip": "192.0.2.9", ' +
        '"worker_id": "6b02a0761c5b34961e7f558c", "host_ip": "192.0.2.9", "host_port": 50103, ' +
        '"cpu_percent": "0.512000", "memory_percent": "52428800.000000", "disk": "40960", "logs": "ready\\n", ' +
        '"last_modified_timestamp": 1795334263.36, ' +
        '"cpu_history": [{"value": "0.512000", "timestamp": "2026-11-22T07:57:43.360000"}], "memory_history": []}',
    );
  });

  it('has a place also when it has no cluster yet', () => {
    const unplaced = { ...silentInstance, clusterId: undefined, clusterLocation: undefined };
    expect(instanceToWire(unplaced)).toMatchObject({ cluster_id: '', cluster_location: 'location-unknown' });
  });

  it('shows the newest 100 entries of a history', () => {
    const cpuHistory = Array.from({ length: 150 }, (_, index) => ({ value: String(index), atMs: 0 }));
    const shown = instanceToWire({ ...silentInstance, cpuHistory }).cpu_history;
    expect(shown).toHaveLength(100);
    expect(shown).toContainEqual({ value: '149', timestamp: '1970-01-01T00:00:00.000000' });
  });
});

describe('a cluster (root-api 4.6)', () => {
  const cluster: ClassicCluster = {
    id: '6b02a0761c5b34961e7f558b',
    name: 'c1',
    location: '48.1,11.6,1000',
    address: '192.0.2.7',
    port: 10_100,
    isActive: true,
    activeWorkers: 2,
    vcpus: 8,
    memoryMib: 16_000,
    cpuPercent: 12.5,
    memoryPercent: 30,
    virtualization: ['docker'],
    lastSeenAtMs: 1_795_334_263_360,
  };

  it('is the example of the reference', () => {
    // The histories are part of the metrics issue; old clients need the lists, not their content.
    expect(clusterToWire(cluster)).toEqual({
      _id: '6b02a0761c5b34961e7f558b',
      candidate_name: 'c1',
      cluster_name: 'c1',
      candidate_location: '48.1,11.6,1000',
      cluster_location: '48.1,11.6,1000',
      ip: '192.0.2.7',
      port: '10100',
      active: true,
      active_nodes: 2,
      vcpus: 8,
      total_cpu_cores: 8,
      cpu_percent: 12.5,
      aggregated_cpu_percent: 12.5,
      memory: 16_000,
      memory_in_mb: 16_000,
      memory_percent: 30,
      vgpus: 0,
      total_gpu_cores: 0,
      gpu_percent: 0,
      gpu_temp: 0,
      gpu_drivers: [],
      vram: 0,
      vram_percent: 0,
      virtualization: ['docker'],
      supported_addons: [],
      csi_drivers: [],
      cpu_history: [],
      memory_history: [],
      last_modified_timestamp: 1_795_334_263.36,
    });
  });

  it('is complete and has integers where the strict client needs them, also before its first report', () => {
    const silent = {
      ...cluster,
      name: '',
      location: '',
      vcpus: 7.9,
      memoryMib: 8188.5,
      lastSeenAtMs: undefined,
    };
    const wire = clusterToWire({ ...silent, virtualization: ['docker', 'docker', 'unikernel'] });
    expect(wire).toMatchObject({
      cluster_name: 'Unknown Cluster',
      cluster_location: 'Unknown Location',
      vcpus: 7,
      memory_in_mb: 8188,
      last_modified_timestamp: 0,
      virtualization: ['docker', 'unikernel'],
    });
    expect(Object.values(wire)).not.toContain(undefined);
  });
});

describe('status words (root-api 7)', () => {
  it('pass when known', () => {
    for (const word of STATUS_WORDS) expect(classicStatus(word)).toBe(word);
  });

  it.each(['0', '1', 1, undefined, 'NEW_WORD'])('become REQUESTED when they are %j', (word) => {
    expect(classicStatus(word)).toBe('REQUESTED');
  });

  it('of a migration mean that the instance runs', () => {
    expect(classicStatus('MIGRATION_IN_PROGRESS')).toBe('RUNNING');
  });
});
