import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { creationSteps, MAX_HOSTS, parseSubnet, pickSubnet, planNetwork, routedRanges } from './plan.ts';

describe('planning a test network', () => {
  it('gives names that fit into an interface name and addresses that differ', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4_194_304 }),
        fc.integer({ min: 0, max: 34 }),
        fc.integer({ min: 1, max: MAX_HOSTS }),
        (pid, networkNumber, hostCount) => {
          const owner = `${pid.toString(36)}-zz9`;
          const plan = planNetwork({ owner, networkNumber, hostCount, subnet: '198.18.4.0/24' });
          const names = [plan.uplink, plan.switchNamespace, ...plan.hosts.map((host) => host.namespace)];
          expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(15);
          expect(new Set(names).size).toBe(hostCount + 2);
          const addresses = [plan.gatewayAddress, ...plan.hosts.map((host) => host.address)];
          expect(new Set(addresses).size).toBe(hostCount + 1);
          expect(addresses.every((address) => address.startsWith('198.18.4.'))).toBe(true);
        },
      ),
    );
  });

  it('picks a subnet that nothing on the machine touches', () => {
    const taken = routedRanges([
      { dst: 'default' },
      { dst: '198.18.0.0/16' },
      { dst: '198.19.0.5' },
      { dst: 'fd00::/64' },
    ]);
    expect(taken).toHaveLength(2);
    expect(pickSubnet(taken, 0)).toBe('198.19.1.0/24');
    expect(pickSubnet(taken, 300)).toBe('198.19.44.0/24');
    expect(() => pickSubnet([parseSubnet('198.18.0.0/15')], 3)).toThrow(/in use/);
  });

  it('refuses what cannot be built, naming it', () => {
    expect(() => parseSubnet('198.18.0.0')).toThrow('198.18.0.0 is no subnet');
    expect(() => parseSubnet('198.18.0.300/24')).toThrow(/no subnet/);
    const plan = (hostCount: number, subnet: string) =>
      planNetwork({ owner: 'a-000', networkNumber: 0, hostCount, subnet });
    expect(() => plan(0, '10.0.0.0/24')).toThrow(/0 hosts do not fit/);
    expect(() => plan(6, '10.0.0.0/29')).toThrow(/1 to 5 are possible/);
    expect(plan(5, '10.0.0.13/29').hosts.at(-1)?.address).toBe('10.0.0.14');
  });

  it('connects every host to the switch and gives it a way out', () => {
    const plan = planNetwork({ owner: 'a-000', networkNumber: 0, hostCount: 2, subnet: '10.0.0.0/24' });
    const steps = creationSteps(plan);
    for (const host of plan.hosts) {
      const inSwitch = steps.find((step) => step.namespace === plan.switchNamespace);
      expect(inSwitch?.lines).toContain(`link set ${host.switchPort} master br0 up`);
      expect(steps.find((step) => step.namespace === host.namespace)?.lines).toContain(
        'route add default via 10.0.0.1',
      );
    }
  });
});
