import { describe, expect, it } from 'vitest';
import {
  acceptanceMark,
  type ForeignChain,
  mayHoldAcceptance,
  planAcceptance,
  planWithdrawal,
  renderAcceptance,
  renderAcceptanceRemoval,
} from './foreign-firewall.ts';

const settings = { bridge: 'oak0', subnet: '10.19.0.0/16', table: 'oakestra', mtu: 1500, hasIpv6: true };
const forward = (more: Partial<ForeignChain> = {}): ForeignChain => ({
  family: 'ip',
  table: 'filter',
  name: 'FORWARD',
  hook: 'forward',
  policy: 'drop',
  ourRules: [],
  ...more,
});
const dockerUser = (ourRules: readonly number[] = []): ForeignChain => ({
  family: 'ip',
  table: 'filter',
  name: 'DOCKER-USER',
  ourRules,
});

describe('firewalls of others', () => {
  it('are left alone when they let forwarded packets pass', () => {
    const chains = [forward({ policy: 'accept' }), dockerUser(), forward({ hook: 'input', name: 'INPUT' })];
    expect(planAcceptance(settings, chains)).toEqual({ insert: [], withdraw: [], obstacles: [] });
  });

  it('get our acceptance in DOCKER-USER where Docker drops', () => {
    const plan = planAcceptance(settings, [forward(), dockerUser()]);
    expect(plan.insert).toEqual([{ table: 'filter', chain: 'DOCKER-USER' }]);
  });

  it('get it at the top of FORWARD where there is no Docker', () => {
    expect(planAcceptance(settings, [forward()]).insert).toEqual([{ table: 'filter', chain: 'FORWARD' }]);
  });

  it('are not touched again once both rules stand', () => {
    const plan = planAcceptance(settings, [forward(), dockerUser([4, 5])]);
    expect(plan).toEqual({ insert: [], withdraw: [], obstacles: [] });
  });

  it('get complete rules in place of half of them', () => {
    const plan = planAcceptance(settings, [forward({ ourRules: [9] })]);
    expect(plan.withdraw).toEqual([{ table: 'filter', chain: 'FORWARD', handles: [9] }]);
    expect(plan.insert).toEqual([{ table: 'filter', chain: 'FORWARD' }]);
  });

  it('lose our rules when Docker came later, or when nothing drops any more', () => {
    const moved = planAcceptance(settings, [forward({ ourRules: [1, 2] }), dockerUser()]);
    expect(moved.withdraw).toEqual([{ table: 'filter', chain: 'FORWARD', handles: [1, 2] }]);
    expect(moved.insert).toEqual([{ table: 'filter', chain: 'DOCKER-USER' }]);
    const open = planAcceptance(settings, [forward({ policy: 'accept' }), dockerUser([1, 2])]);
    expect(open.withdraw).toEqual([{ table: 'filter', chain: 'DOCKER-USER', handles: [1, 2] }]);
    expect(open.insert).toEqual([]);
  });

  it('written by a person are reported with the commands that help, not changed', () => {
    const plan = planAcceptance(settings, [forward({ family: 'inet', table: 'site', name: 'fwd' })]);
    expect(plan.insert).toEqual([]);
    expect(plan.obstacles).toEqual([
      expect.stringContaining('nft insert rule inet site fwd iifname "oak0" accept'),
    ]);
  });

  it('do not include our own table, nor families without IPv4', () => {
    const chains = [forward({ table: 'oakestra', name: 'forwarded' }), forward({ family: 'ip6' })];
    expect(planAcceptance(settings, chains)).toEqual({ insert: [], withdraw: [], obstacles: [] });
  });

  it('are free of us after a withdrawal', () => {
    expect(planWithdrawal([forward(), dockerUser([4, 5])])).toEqual([
      { table: 'filter', chain: 'DOCKER-USER', handles: [4, 5] },
    ]);
  });

  it('read rules one by one only where ours may stand', () => {
    expect([forward(), dockerUser(), forward({ name: 'INPUT' })].map(mayHoldAcceptance)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('are changed with rules that bear our mark', () => {
    const target = { table: 'filter', chain: 'DOCKER-USER' };
    expect(renderAcceptance(settings, target)).toBe(
      `insert rule ip filter DOCKER-USER iifname "oak0" counter accept comment "${acceptanceMark('oak0')}"\n` +
        `insert rule ip filter DOCKER-USER oifname "oak0" counter accept comment "${acceptanceMark('oak0')}"\n`,
    );
    expect(renderAcceptanceRemoval({ ...target, handles: [4, 5] })).toBe(
      'delete rule ip filter DOCKER-USER handle 4\ndelete rule ip filter DOCKER-USER handle 5\n',
    );
  });
});
