import { expect, it } from 'vitest';
import type { InstanceSpec } from '../runtime.ts';
import { type OciSpecOptions, ociSpec } from './oci-spec.ts';
import type { OciImageConfig } from './prepared-image.ts';

const spec: InstanceSpec = {
  id: 'shop.live.web.live.instance.3',
  image: { reference: 'shop:1' },
  command: [],
  environment: [],
  memoryMib: 0,
  cpuMillis: 0,
  hostname: 'instance-3',
  logPath: '/logs/a',
  labels: {},
};

function specOf(
  changes: Partial<InstanceSpec> = {},
  config: OciImageConfig['config'] = { Entrypoint: ['serve'], Cmd: ['--all'] },
  others: Partial<OciSpecOptions> = {},
) {
  return ociSpec({
    spec: { ...spec, ...changes },
    imageConfig: { ...(config === undefined ? {} : { config }) },
    user: { uid: 7, gid: 8 },
    cgroupPath: '/oakestra/a',
    cgroups: { isUnified: false, limitsSwap: true },
    limits: { openFiles: 1_024, pids: 100 },
    ...others,
  });
}

it('runs entrypoint and command of the image, or only the command of the service', () => {
  expect(specOf().process.args).toEqual(['serve', '--all']);
  expect(specOf({}, { Cmd: ['--all'], Entrypoint: null }).process.args).toEqual(['--all']);
  expect(specOf({ command: ['sh'] }).process.args).toEqual(['sh']);
  for (const config of [undefined, {}, { Cmd: null }]) {
    expect(() => ociSpec({ ...options(), imageConfig: config === undefined ? {} : { config } })).toThrow(
      expect.objectContaining({ code: 'command-missing' }),
    );
  }
});

function options(): OciSpecOptions {
  return {
    spec,
    imageConfig: {},
    user: { uid: 0, gid: 0 },
    cgroupPath: '/oakestra/a',
    cgroups: { isUnified: false, limitsSwap: true },
    limits: { openFiles: 1_024, pids: 100 },
  };
}

it('lets the service win over the host name, and that over the image', () => {
  const { env } = specOf(
    { environment: ['A=service', 'EMPTY=', 'B=1=2'] },
    { Cmd: ['x'], Env: ['A=image', 'HOSTNAME=image', 'C=image'] },
  ).process;
  expect(env).toEqual([
    expect.stringMatching(/^PATH=\/usr\/local\/sbin:/),
    'A=service',
    'HOSTNAME=instance-3',
    'C=image',
    'EMPTY=',
    'B=1=2',
  ]);
  expect(specOf({}, { Cmd: ['x'], Env: ['PATH=/image'] }).process.env).toEqual([
    'PATH=/image',
    'HOSTNAME=instance-3',
  ]);
});

it('gives no more rights than needed', () => {
  const { process, linux } = specOf();
  expect(process.noNewPrivileges).toBe(true);
  expect(process.capabilities.bounding).toHaveLength(14);
  expect(process.capabilities.bounding).not.toContain('CAP_SYS_ADMIN');
  expect(process.capabilities).not.toHaveProperty('inheritable');
  expect(process.user).toEqual({ uid: 7, gid: 8 });
  expect(process.cwd).toBe('/');
  expect(specOf({}, { Cmd: ['x'], WorkingDir: '/srv' }).process.cwd).toBe('/srv');
  expect(linux.resources.devices).toEqual([{ allow: false, access: 'rwm' }]);
  expect(linux.maskedPaths).toContain('/proc/kcore');
  expect(linux.readonlyPaths).toContain('/proc/sys');
});

it('never shares a namespace of the host', () => {
  const types = (unified: boolean) =>
    specOf({}, { Cmd: ['x'] }, { cgroups: { isUnified: unified, limitsSwap: true } }).linux.namespaces;
  expect(types(false)).toEqual(['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })));
  expect(types(true).at(-1)).toEqual({ type: 'cgroup' });
  const { namespaces } = specOf({ networkNamespacePath: '/run/netns/a' }).linux;
  expect(namespaces.find(({ type }) => type === 'network')?.path).toBe('/run/netns/a');
});

it('enforces limits, memory and swap together', () => {
  const limited = specOf({ memoryMib: 64, cpuMillis: 250 }).linux.resources;
  expect(limited.memory).toEqual({ limit: 67_108_864, swap: 67_108_864 });
  expect(limited.cpu).toEqual({ quota: 25_000, period: 100_000 });
  expect(limited.pids).toEqual({ limit: 100 });
  expect(specOf({ cpuMillis: 1 }).linux.resources.cpu?.quota).toBe(1_000);
  const withoutSwap = specOf(
    { memoryMib: 64 },
    { Cmd: ['x'] },
    { cgroups: { isUnified: true, limitsSwap: false } },
  );
  expect(withoutSwap.linux.resources.memory).toEqual({ limit: 67_108_864 });
  const unlimited = specOf().linux.resources;
  expect(unlimited).not.toHaveProperty('memory');
  expect(unlimited).not.toHaveProperty('cpu');
});

it('mounts the files of the network read-only, and cgroups only where they have a namespace', () => {
  const destinations = (made: ReturnType<typeof specOf>) => made.mounts.map(({ destination }) => destination);
  expect(destinations(specOf())).not.toContain('/etc/hosts');
  const made = specOf({ hostsPath: '/n/hosts', resolvConfPath: '/n/resolv.conf' });
  for (const [destination, source] of [
    ['/etc/hosts', '/n/hosts'],
    ['/etc/resolv.conf', '/n/resolv.conf'],
  ]) {
    const mount = made.mounts.find((candidate) => candidate.destination === destination);
    expect(mount).toMatchObject({ source, type: 'bind' });
    expect(mount?.options).toContain('ro');
  }
  expect(destinations(made)).not.toContain('/sys/fs/cgroup');
  const unified = specOf({}, { Cmd: ['x'] }, { cgroups: { isUnified: true, limitsSwap: true } });
  expect(unified.mounts.find(({ destination }) => destination === '/sys/fs/cgroup')?.options).toContain('ro');
});
