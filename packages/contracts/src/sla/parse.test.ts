import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSla } from './parse.ts';

const service = (fields: object = {}) => ({
  microservice_name: 'nginx',
  microservice_namespace: 'test',
  virtualization: 'container',
  code: 'docker.io/library/nginx:latest',
  ...fields,
});
const sla = (...services: object[]) => ({
  sla_version: 'v2.0',
  customerID: 'Admin',
  applications: [{ application_name: 'clientsrvr', application_namespace: 'test', microservices: services }],
});
const violations = (input: unknown) => {
  const parsed = parseSla(input);
  return parsed.ok ? [] : parsed.violations.map(({ path, message }) => `${path} ${message}`);
};
const ofService = (fields: object) =>
  violations(sla(service(fields))).map((text) => text.replace('applications[0].microservices[0].', ''));

describe('a valid SLA', () => {
  it('keeps fields that we do not know, at every level', () => {
    const input = {
      ...sla(service({ own: { deep: [1, null] }, constraints: [{ type: 'new', own: 1 }] })),
      api_version: null,
    };
    expect(parseSla(input)).toEqual({ ok: true, sla: input });
  });

  it('may have no applications and no services', () => {
    expect(violations({ ...sla(), applications: [] })).toEqual([]);
    expect(violations(sla())).toEqual([]);
  });

  it('accepts every documented field of a service', () => {
    const fields = {
      microserviceID: '',
      cmd: ['sh', '-c', 'true'],
      args: [],
      environment: ['A=b', 'EMPTY=', 'URL=a=b'],
      memory: JSON.parse('100.0'),
      vcpus: 1,
      vgpus: 0,
      vtpus: 0,
      bandwidth_in: 0,
      bandwidth_out: 0,
      storage: 0,
      state: '',
      port: '80:80/tcp;90:100/udp;9080',
      one_shot: true,
      privileged: false,
      added_files: [],
      addresses: { rr_ip: '10.30.30.30', rr_ip_v6: 'fdff:2000::1', instances: [{ from: '', to: '' }] },
      constraints: [{ type: 'direct', node: 'n1', cluster: 'c1', rigidness: 0.5, convergence_time: 300 }],
      connectivity: [
        {
          target_microservice_id: 'x',
          con_constraints: [{ type: 'latency', threshold: 1.5, rigidness: 1, convergence_time: 3 }],
        },
      ],
      volumes: [{ volume_id: 'v', csi_driver: 'csi.oakestra.io/hostpath', config: { host_path: '/x' } }],
      platform: 'linux/arm64',
      on_disconnect: 'stop-after 30',
      one_shot_delivery: 'at-most-once',
      stop_grace_seconds: 0,
      secrets: [
        { secret: 'db', environment: 'DB_PASSWORD', version: 3 },
        { secret: 'tls', file: '/run/secrets/tls.pem', mode: '0400', owner: '1000:1000' },
      ],
      configs: [{ config: 'nginx', file: '/etc/nginx/nginx.conf' }],
    };
    expect(ofService(fields)).toEqual([]);
  });
});

describe('references to secrets and configs', () => {
  const ofSecret = (fields: object) => ofService({ secrets: [{ secret: 'db', ...fields }] });

  it('become either a variable or a file', () => {
    const either = 'secrets[0] must have either environment (a variable) or file (a path), not an object';
    expect(ofSecret({})).toEqual([either]);
    expect(ofSecret({ environment: 'A', file: '/a' })).toEqual([either]);
    expect(ofSecret({ environment: 'A', mode: '0400', owner: '0:0' })).toEqual([
      'secrets[0].mode is for files only, not "0400"',
      'secrets[0].owner is for files only, not "0:0"',
    ]);
  });

  it.each(['relative', '/', '/a//b', '/a/../b', '/a/', '/proc/self/x', '/sys/x', '/dev/x', '/etc/hosts'])(
    'do not become the file %s',
    (file) => expect(ofSecret({ file })).toHaveLength(1),
  );

  it('have modes, owners and versions that can be', () => {
    const wrong = { file: '/a', mode: '4755', owner: 'root', version: 0 };
    expect(ofSecret(wrong).map((text) => text.split(' ')[0])).toEqual([
      'secrets[0].mode',
      'secrets[0].owner',
      'secrets[0].version',
    ]);
    expect(ofSecret({ environment: 'A=B' })).toHaveLength(1);
  });

  it('name each variable and each file once, and are not too many', () => {
    const fields = {
      environment: ['A=1'],
      secrets: [
        { secret: 'x', environment: 'A' },
        { secret: 'x', file: '/f' },
      ],
      configs: [{ config: 'x', file: '/f' }],
    };
    expect(ofService(fields)).toEqual([
      'secrets[0].environment names what applications[0].microservices[0].environment has already',
      'configs[0].file names what applications[0].microservices[0].secrets[1] has already',
    ]);
    const many = Array.from({ length: 33 }, (_, index) => ({ secret: 'x', environment: `E${index}` }));
    expect(ofService({ secrets: many })[0]).toContain('has 33 secrets and configs; at most 32');
  });
});

describe('an invalid SLA', () => {
  it('names everything that is wrong at once, also across fields', () => {
    const input = {
      sla_version: 'v1.0',
      applications: [
        {
          application_name: 'my-app',
          application_namespace: 'test',
          microservices: [service({ memory: -5, port: 80 }), service({ virtualization: 'unikernel' })],
        },
      ],
    };
    expect(violations(input)).toEqual([
      'sla_version must be "v2.0", the version that this root speaks, not "v1.0"',
      'customerID is required: must be text',
      'applications[0].application_name must be 1 to 30 letters and digits (no spaces, dots, dashes or underscores), not "my-app"',
      'applications[0].microservices[0].memory must be an integer of 0 or more (MB), not -5',
      'applications[0].microservices[0].port must be text such as "6080:80/tcp" (a number needs quotes), not 80',
      'applications[0].microservices[1].microservice_name names the service nginx.test again; applications[0].microservices[0] has this name and namespace',
      'applications[0].microservices[1].arch is required for a unikernel, such as ["amd64"]',
    ]);
  });

  it.each([
    [null, 'must be an object, not null'],
    [[], 'must be an object, not a list'],
    ['text', 'must be an object, not "text"'],
  ])('is refused as a whole when it is %j', (input, message) => {
    expect(violations(input)).toEqual([`(document) ${message}`]);
  });

  it.each([
    [{ memory: true }, 'memory must be an integer of 0 or more (MB), not true'],
    [{ memory: 1.5 }, 'memory must be an integer of 0 or more (MB), not 1.5'],
    [{ vcpus: '1' }, 'vcpus must be an integer of 0 or more (cores), not "1"'],
    [{ vcpus: null }, 'vcpus must be an integer of 0 or more (cores), not null'],
    [{ one_shot: 1 }, 'one_shot must be true or false, not 1'],
    [{ code: ' ' }, 'code must name the image, such as "docker.io/library/nginx:latest", not " "'],
    [{ cmd: 'ls' }, 'cmd must be a list of texts, not "ls"'],
    [{ cmd: ['ls', 3] }, 'cmd[1] must be text, not 3'],
    [{ microserviceID: 'x' }, 'microserviceID must be absent or empty (the root gives the id), not "x"'],
    [
      { port: '80:99999' },
      'port "80:99999": container port must be a number from 1 to 65535, not "80:99999"',
    ],
    [
      { addresses: { rr_ip: '10.31.0.1' } },
      'addresses.rr_ip must be an address of the form 10.30.x.y, not "10.31.0.1"',
    ],
    [
      { addresses: { rr_ip: '10.30.0.256' } },
      'addresses.rr_ip must be an address of the form 10.30.x.y, not "10.30.0.256"',
    ],
    [
      { addresses: { rr_ip_v6: 'fdff:2000::zz' } },
      'addresses.rr_ip_v6 must be an IPv6 address that begins with fdff:20xx (such as fdff:2000::1), not "fdff:2000::zz"',
    ],
    [
      // The second group is 0020, not 20xx.
      { addresses: { rr_ip_v6: 'fdff:20::1' } },
      'addresses.rr_ip_v6 must be an IPv6 address that begins with fdff:20xx (such as fdff:2000::1), not "fdff:20::1"',
    ],
    [
      { volumes: [{ volume_id: 'v', csi_driver: 'd', config: { 'a.b': 3 } }] },
      'volumes[0].config["a.b"] must be text (the worker passes it on as text), not 3',
    ],
    [
      { volumes: ['/data', '/data/'].map((mount_path) => ({ volume_id: 'v', csi_driver: 'd', mount_path })) },
      'volumes[1].mount_path mounts at "/data", where applications[0].microservices[0].volumes[0] is mounted already',
    ],
    [
      { volumes: [{ volume_id: 'v', csi_driver: 'd', mount_path: 'data' }] },
      'volumes[0].mount_path must be an absolute path inside the container, not "data"',
    ],
    [{ volumes: [{ csi_driver: 'd' }] }, 'volumes[0].volume_id is required: must name the volume'],
    [{ constraints: [{ cluster: 'c1' }] }, 'constraints[0].type is required: must be text'],
    [
      { constraints: [{ type: 'addons', needs: 'x' }] },
      'constraints[0].needs must be a list of texts, not "x"',
    ],
    [
      { connectivity: [{ con_constraints: [] }] },
      'connectivity[0].target_microservice_id is required: must be text',
    ],
    [
      {
        connectivity: [
          { target_microservice_id: 'x', con_constraints: [{ type: 'latency', threshold: 1, rigidness: 1 }] },
        ],
      },
      'connectivity[0].con_constraints[0].convergence_time is required: must be an integer of 0 or more (seconds)',
    ],
    [{ platform: 3 }, 'platform must be text, not 3'],
    [{ vm_images: 'x' }, 'vm_images must be a list of texts, not "x"'],
    [
      { virtualization: 'unikernel', arch: ['amd64', 'amd64'], code: 'a,b' },
      'arch[1] names an architecture that is in the list already',
    ],
    [
      { virtualization: 'unikernel', arch: ['amd64', 'arm64'], code: 'a,' },
      'code must name an image between all of its commas, one per entry of arch',
    ],
    [
      { volumes: [{ volume_id: 'v', csi_driver: 'd', config: { size: 3 } }] },
      'volumes[0].config.size must be text (the worker passes it on as text), not 3',
    ],
    [
      { on_disconnect: 'stop-after 0' },
      'on_disconnect must be "replace", "wait" or "stop-after <seconds>" (such as "stop-after 30"), not "stop-after 0"',
    ],
    [{ stop_grace_seconds: -1 }, 'stop_grace_seconds must be an integer from 0 to 3600 (seconds), not -1'],
    [
      { virtualization: 'unikernel', arch: ['amd64'], code: 'a,b' },
      'arch must have one entry per image in code: 1 for 2',
    ],
    [
      { one_shot_delivery: 'once' },
      'one_shot_delivery must be "at-least-once" or "at-most-once", not "once"',
    ],
    [{ own: ['a\0b'] }, 'own[0] must not contain the NUL character'],
    [{ own: '\ud800' }, 'own must not contain half of a character (a lone surrogate)'],
    [{ own: [Number.POSITIVE_INFINITY] }, 'own[0] must be a number within the range of a double'],
  ])('explains %j', (fields, message) => {
    expect(ofService(fields)).toEqual([message]);
  });

  it('does not repeat the value of an environment entry, which may be a secret', () => {
    expect(ofService({ environment: ['hunter2', '=hunter2', 'A B=hunter2'] })).toEqual([
      'environment[0] must have the form NAME=value, not text without "="',
      'environment[1] must have the form NAME=value, not "=..."',
      'environment[2] must have the form NAME=value, not "A B=..."',
    ]);
  });

  it('shows no part of an environment of the wrong type either', () => {
    expect(ofService({ environment: [1234, true, null] })).toEqual([
      'environment[0] must be text of the form NAME=value, not a number',
      'environment[1] must be text of the form NAME=value, not true or false',
      'environment[2] must be text of the form NAME=value, not null',
    ]);
    expect(ofService({ environment: { PASSWORD: 'hunter2' } })).toEqual([
      'environment must be a list of texts NAME=value, not an object',
    ]);
    expect(ofService({ environment: 'PASSWORD=hunter2' }).join()).not.toContain('hunter2');
  });

  it('shortens long values', () => {
    const [message] = ofService({ on_disconnect: 'x'.repeat(5000) });
    expect(message?.length).toBeLessThan(200);
  });

  it('gets an answer of bounded size', () => {
    const reported = ofService({ cmd: Array.from({ length: 5000 }, () => 1) });
    expect(reported).toHaveLength(101);
    expect(reported.at(-1)).toBe('(document) has 4900 more violations');
  });

  it('refuses nesting that no serialiser survives', () => {
    const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
    expect(ofService({ own: deep })[0]).toContain('is nested deeper than 32 levels');
  });

  it('refuses two applications, or two service addresses, that are the same', () => {
    const one = sla(service({ addresses: { rr_ip: '10.30.0.1' } })).applications[0];
    const twice = sla(
      service({ addresses: { rr_ip: '10.30.0.1' } }),
      service({ microservice_name: 'b', addresses: { rr_ip: '10.30.0.1' } }),
    );
    expect(violations({ ...sla(), applications: [one, one] })[0]).toContain('clientsrvr.test again');
    expect(violations(twice)[0]).toContain('which applications[0].microservices[0] asks for too');
  });

  it('refuses one service address in two applications, however it is spelled', () => {
    const application = (name: string, address: string) => ({
      ...{ application_name: name, application_namespace: 'test' },
      microservices: [service({ addresses: { rr_ip_v6: address } })],
    });
    const input = {
      ...sla(),
      applications: [application('a', 'fdff:2000::1'), application('b', 'FDFF:2000:0::1')],
    };
    expect(violations(input)).toEqual([
      'applications[1].microservices[0].addresses.rr_ip_v6 asks for the address fdff:2000::1, which applications[0].microservices[0] asks for too',
    ]);
  });
});

it('never throws, and never accepts silently what it would not accept again', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const parsed = parseSla({ ...sla(service()), applications: value });
      return !parsed.ok || parseSla(parsed.sla).ok;
    }),
  );
});

describe('every field of root-api 5', () => {
  const typed: Readonly<Record<string, readonly string[]>> = {
    text: [
      ...[
        'microservice_name',
        'microservice_namespace',
        'virtualization',
        'code',
        'microserviceID',
        'state',
        'port',
      ],
      ...['sla_violation_strategy', 'target_node', 'platform', 'description'],
    ],
    integer: ['memory', 'vcpus', 'vgpus', 'vtpus', 'bandwidth_in', 'bandwidth_out', 'storage'],
    flag: ['one_shot', 'privileged'],
    list: [
      ...['cmd', 'args', 'environment', 'added_files', 'constraints', 'connectivity', 'volumes'],
      ...['arch', 'vm_images'],
    ],
    object: ['addresses'],
  };
  const right: Readonly<Record<string, unknown>> = { text: '', integer: 1, flag: true, list: [], object: {} };
  const fields = Object.entries(typed).flatMap(([kind, names]) => names.map((name) => [name, kind] as const));

  it.each(fields)('%s takes no null and nothing but its type, %s', (name, kind) => {
    const wrong = Object.entries(right).filter(([other]) => other !== kind);
    for (const value of [null, ...wrong.map(([, example]) => example)]) {
      expect(ofService({ [name]: value }), JSON.stringify(value)).not.toEqual([]);
    }
  });

  it.each([
    ['addresses', ['rr_ip', 'rr_ip_v6', 'closest_ip', 'closest_ip_v6', 'instances']],
    [
      'constraints[0]',
      [
        'cluster',
        'node',
        'area',
        'location',
        'threshold',
        'rigidness',
        'convergence_time',
        'needs',
        'allowed',
      ],
    ],
    ['volumes[0]', ['volume_id', 'csi_driver', 'mount_path', 'config']],
  ])('%s takes no null either', (place, names) => {
    for (const name of names) {
      const part = { type: 'x', volume_id: 'v', csi_driver: 'd', [name]: null };
      const [field = ''] = place.split('[');
      const found = ofService({ [field]: place === field ? part : [part] });
      expect(found.map((text) => text.split(' ')[0])).toEqual([`${place}.${name}`]);
    }
  });
});
