import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatHelp } from '@oakestra/daemon';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tier as cluster } from '../cluster-bundle.ts';
import { tier as root } from '../root-bundle.ts';
import { tier as worker } from '../worker-bundle.ts';
import { notedSettingsFlags, noteSettings } from './noted-settings.ts';
import { loadUpSettings, tierValues, upTable } from './up-settings.ts';

const tiers = { root, cluster, worker };
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oakestra-up-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const load = (argv: readonly string[], env: Record<string, string> = {}) =>
  loadUpSettings(tiers, { argv, env });

describe('the settings of up', () => {
  it('place the tiers in folders of the state directory and connect them with each other', async () => {
    const { values } = await load([
      '--state-directory',
      '/s',
      '--root-cluster-port',
      '7',
      '--cluster-api-port',
      '8',
    ]);
    expect(tierValues(root, values).stateDirectory).toBe('/s/root');
    expect(tierValues(cluster, values)).toMatchObject({
      stateDirectory: '/s/cluster',
      root: ['127.0.0.1:7'],
    });
    expect(tierValues(worker, values)).toMatchObject({
      stateDirectory: '/s/worker',
      clusterAddress: '127.0.0.1',
      clusterApiPort: 8,
    });
  });

  it('connect the tiers at the address where they listen', async () => {
    const { values } = await load(['--listen', '192.0.2.7', '--cluster-listen', '::']);
    expect(tierValues(root, values).listen).toBe('192.0.2.7');
    expect(tierValues(cluster, values).root).toEqual(['192.0.2.7:50052']);
    expect(tierValues(worker, values).clusterAddress).toBe('::1');
  });

  it('prefer what is given over what follows from others', async () => {
    const { values, origins } = await load(['--cluster-root', 'far.example:50052'], {
      OAKESTRA_WORKER_STATE_DIRECTORY: '/w',
      CLUSTER_NAME: 'north',
    });
    expect(tierValues(cluster, values)).toMatchObject({ root: ['far.example:50052'], name: 'north' });
    expect(tierValues(worker, values).stateDirectory).toBe('/w');
    expect(origins.clusterRoot?.kind).toBe('flag');
    expect(origins.rootStateDirectory?.kind).toBe('default');
  });

  it('offer every setting of every tier, under its role', () => {
    const table = upTable(tiers);
    const help = formatHelp({ role: 'up', table, usage: '', summary: '' });
    for (const flag of ['--root-api-port', '--cluster-name', '--worker-subnet', '--root-restart-grace']) {
      expect(help).toContain(`  ${flag} `);
    }
    expect(help).toContain('root.restartGrace in the file');
    const wanted = [root, cluster, worker].reduce((sum, tier) => sum + Object.keys(tier.settings).length, 0);
    const prefixed = Object.keys(table).filter((key) => /^(root|cluster|worker)[A-Z]/.test(key));
    expect(prefixed).toHaveLength(wanted);
  });

  it('refuse a flag that no tier has, with the nearest one', async () => {
    await expect(load(['--root-api-prot', '1'])).rejects.toThrow('did you mean --root-api-port');
  });
});

describe('noted settings', () => {
  it('read back as they were, without the secrets', async () => {
    const file = join(directory, 'settings.json');
    const flags = [
      '--tiers',
      'root,worker',
      '--root-allow-legacy',
      '192.0.2.0/24',
      '--worker-usage-interval',
      '3s',
    ];
    const { values } = await load([
      ...flags,
      '--worker-log-max-size',
      '3MiB',
      '--root-admin-password',
      'secret',
    ]);
    noteSettings(file, upTable(tiers), values);
    const again = await load(notedSettingsFlags(file));
    expect(again.values).toEqual({ ...values, rootAdminPassword: undefined });
  });

  it('are not asked for where nothing was noted', () => {
    expect(notedSettingsFlags(join(directory, 'settings.json'))).toEqual([]);
  });
});
