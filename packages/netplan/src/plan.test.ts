import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectSteps } from './instance-steps.ts';
import { planFirewalls, planNetwork, planPurge, wantedSysctls } from './plan.ts';
import { parsePortMappings } from './port-mapping.ts';
import type { InstanceNetwork, NetworkSettings } from './settings.ts';
import { type CurrentNetwork, formatInterfaceLabel, parseInterfaceLabel } from './snapshot.ts';
import type { NetworkStep } from './steps.ts';

const settings: NetworkSettings = {
  bridge: 'oak0',
  subnet: '10.19.0.0/16',
  table: 'oakestra',
  mtu: 1500,
  hasIpv6: true,
};
const nothing: CurrentNetwork = { sysctls: {}, namespaces: [], interfaces: [], foreignChains: [] };

function instance(number: number, ports = ''): InstanceNetwork {
  return {
    id: `shop.prod.web.prod.instance.${number}`,
    namespace: `oak-${number}`,
    hostInterface: `oakv${number}`,
    address: `10.19.0.${number + 2}`,
    ports: parsePortMappings(ports),
  };
}

/** The kernel as it is after a plan was carried out. */
function after(instances: readonly InstanceNetwork[], inUse: readonly number[] = []): CurrentNetwork {
  return {
    bridge: { cidrs: ['10.19.0.1/16'], isUp: true, mtu: 1500 },
    sysctls: Object.fromEntries(wantedSysctls(settings).map(({ name, value }) => [name, value])),
    namespaces: instances.map(({ namespace }) => ({
      name: namespace,
      isInUse: inUse.some((number) => namespace === `oak-${number}`),
    })),
    interfaces: instances.map(({ id, namespace, address, hostInterface }) => ({
      name: hostInterface,
      bridge: 'oak0',
      label: { instanceId: id, namespace, address },
    })),
    published: instances.flatMap(({ address, ports }) => ports.map((port) => ({ ...port, address }))),
    foreignChains: [],
  };
}

const kinds = (steps: readonly NetworkStep[]) => steps.map(({ kind }) => kind);
const rulesOf = (steps: readonly NetworkStep[]) =>
  steps.flatMap((step) => (step.kind === 'replace-rules' ? [step.text] : [])).join();

describe('network plan', () => {
  it('builds everything on a bare host, in an order that works', () => {
    const plan = planNetwork(nothing, { settings, instances: [instance(0, '8080:80')] });
    expect(kinds(plan.steps)).toEqual([
      'create-bridge',
      'assign-bridge-address',
      'enable-bridge',
      'set-sysctl',
      'set-sysctl',
      'create-namespace',
      'connect-namespace',
      'configure-namespace',
      'replace-rules',
    ]);
    expect(plan).toMatchObject({ kept: [], created: [instance(0).id], removed: [], quarantined: [] });
  });

  it('touches nothing but the rules when all is as wanted', () => {
    const instances = [instance(0, '8080:80'), instance(1)];
    const plan = planNetwork(after(instances), { settings, instances });
    expect(kinds(plan.steps)).toEqual(['replace-rules']);
    expect(plan.kept).toEqual(instances.map(({ id }) => id));
  });

  it('removes what nobody knows and nobody uses, with the connections to its ports', () => {
    const current = after([instance(0), instance(1, '53/udp')]);
    const plan = planNetwork(current, { settings, instances: [instance(0)] });
    expect(plan.steps.filter(({ kind }) => kind !== 'replace-rules')).toEqual([
      { kind: 'delete-interface', name: 'oakv1' },
      { kind: 'delete-namespace', namespace: 'oak-1' },
      { kind: 'flush-conntrack', filter: { kind: 'to-instance', address: '10.19.0.3' } },
    ]);
    expect(rulesOf(plan.steps)).not.toContain('10.19.0.3');
    expect(plan.removed).toEqual(['oak-1']);
  });

  it('keeps what nobody knows as long as a process lives in it, ports included', () => {
    const current = after([instance(1, '53/udp')], [1]);
    const plan = planNetwork(current, { settings, instances: [] });
    expect(kinds(plan.steps)).toEqual(['replace-rules']);
    expect(rulesOf(plan.steps)).toContain('53 : 10.19.0.3 . 53');
    expect(plan.quarantined).toEqual(['oak-1']);
  });

  it('gives a port to the instance we know when a stranger has it too', () => {
    const current = after([instance(1, '80')], [1]);
    const plan = planNetwork(current, { settings, instances: [instance(0, '80:81')] });
    expect(rulesOf(plan.steps)).toContain('elements = { 80 : 10.19.0.2 . 81 }');
  });

  it.each([
    ['its cable is gone', { interfaces: [] }],
    ['its namespace is gone', { namespaces: [] }],
  ])('makes an instance anew when %s', (_, missing) => {
    const current = { ...after([instance(0)]), ...missing };
    const plan = planNetwork(current, { settings, instances: [instance(0)] });
    expect(plan.created).toEqual([instance(0).id]);
    expect(kinds(plan.steps).filter((kind) => kind.startsWith('delete-'))).toHaveLength(1);
    expect(kinds(plan.steps)).toContain('configure-namespace');
  });

  it('plugs cables in again when the bridge was deleted behind our back', () => {
    const current = after([instance(0)]);
    const unplugged = current.interfaces.map(({ name, label }) => ({ name, ...(label && { label }) }));
    const { bridge: _, ...noBridge } = { ...current, interfaces: unplugged };
    const plan = planNetwork(noBridge, { settings, instances: [instance(0)] });
    expect(plan.kept).toEqual([instance(0).id]);
    expect(plan.steps).toContainEqual({ kind: 'plug-in-interface', name: 'oakv0', bridge: 'oak0' });
    expect(kinds(plan.steps)).toContain('create-bridge');
    expect(kinds(plan.steps)).not.toContain('create-namespace');
  });

  it('makes many instances in phases, so that few programs do the work', () => {
    const plan = planNetwork(after([]), { settings, instances: [instance(0), instance(1)] });
    expect(kinds(plan.steps)).toEqual([
      'create-namespace',
      'create-namespace',
      'connect-namespace',
      'connect-namespace',
      'configure-namespace',
      'configure-namespace',
      'replace-rules',
    ]);
  });

  it('repairs a bridge that lost its address or has another one', () => {
    const current = { ...after([]), bridge: { cidrs: ['10.7.0.1/16'], isUp: false, mtu: 1500 } };
    expect(planNetwork(current, { settings, instances: [] }).steps.slice(0, 3)).toEqual([
      { kind: 'remove-bridge-address', name: 'oak0', cidr: '10.7.0.1/16' },
      { kind: 'assign-bridge-address', name: 'oak0', cidr: '10.19.0.1/16' },
      { kind: 'enable-bridge', name: 'oak0' },
    ]);
  });

  it('lets other firewalls pass our traffic', () => {
    const chain = {
      family: 'ip',
      table: 'filter',
      name: 'FORWARD',
      hook: 'forward',
      policy: 'drop',
      ourRules: [],
    };
    const { steps } = planFirewalls(settings, [chain]);
    expect(steps).toMatchObject([{ kind: 'accept-in-foreign-chain', target: { chain: 'FORWARD' } }]);
    const gone = planPurge({ ...nothing, foreignChains: [{ ...chain, ourRules: [7, 8] }] }, settings);
    expect(kinds(gone)).toEqual(['withdraw-from-foreign-chain']);
  });

  it('purges everything, and nothing where there is nothing', () => {
    expect(planPurge(nothing, settings)).toEqual([]);
    expect(kinds(planPurge(after([instance(0)]), settings))).toEqual([
      'delete-namespace',
      'delete-interface',
      'delete-bridge',
      'delete-rules',
    ]);
  });

  it('reaches every wanted set from every other in one go', () => {
    const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 20 }));
    fc.assert(
      fc.property(numbers, numbers, fc.subarray([0, 1, 2, 3]), (before, wanted, inUse) => {
        const plan = planNetwork(
          after(
            before.map((number) => instance(number)),
            inUse,
          ),
          { settings, instances: wanted.map((number) => instance(number)) },
        );
        const made = plan.steps.flatMap((s) => (s.kind === 'create-namespace' ? [s.namespace] : []));
        const gone = plan.steps.flatMap((s) => (s.kind === 'delete-namespace' ? [s.namespace] : []));
        const names = (list: readonly number[]) => list.map((number) => `oak-${number}`).sort();
        expect(made.sort()).toEqual(names(wanted.filter((number) => !before.includes(number))));
        expect(gone.sort()).toEqual(
          names(before.filter((number) => !wanted.includes(number) && !inUse.includes(number))),
        );
      }),
    );
  });
});

describe('the label of a cable', () => {
  const label = { instanceId: instance(0).id, namespace: 'oak-0', address: '10.19.0.2' };

  it('comes back from its text', () => {
    expect(parseInterfaceLabel(formatInterfaceLabel(label))).toEqual(label);
  });

  it('fits the kernel however long the id is', () => {
    expect(formatInterfaceLabel({ ...label, instanceId: 'x'.repeat(500) })).toHaveLength(255);
  });

  it('survives ids that no shell would like', () => {
    const odd = { ...label, instanceId: 'a "b\' ü\n%' };
    expect(formatInterfaceLabel(odd)).toMatch(/^[\x20-\x7e]+$/);
    expect(formatInterfaceLabel(odd)).not.toMatch(/["']/);
    expect(parseInterfaceLabel(formatInterfaceLabel(odd))).toEqual(odd);
  });

  it('of somebody else is none', () => {
    expect(parseInterfaceLabel('uplink to rack 3')).toBeUndefined();
  });

  it('is set by the step that makes the cable', () => {
    expect(connectSteps(settings, instance(0))).toContainEqual(
      expect.objectContaining({ alias: formatInterfaceLabel(label), mac: '02:0a:0a:13:00:02' }),
    );
  });
});
