import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import {
  defineSettings,
  type Environment,
  formatHelp,
  formatSettings,
  loadSettings,
  loggingSettings,
  requestOf,
  SettingsError,
  type SettingsTable,
  settingType,
} from './index.ts';
import { nearestName } from './nearest-name.ts';

class Hidden {
  readonly #value: string;
  constructor(value: string) {
    this.#value = value;
  }
  reveal() {
    return this.#value;
  }
}

const table = defineSettings({
  ...loggingSettings,
  clusterName: {
    type: settingType.text(),
    default: 'edge',
    description: 'Name of this cluster.',
    flagAliases: ['name'],
    legacyEnvironment: ['CLUSTER_NAME'],
  },
  rootUrl: {
    type: settingType.url({ protocols: ['https', 'http'] }),
    isOptional: true,
    description: 'Where the root is.',
    legacyEnvironment: [
      {
        name: 'SYSTEM_MANAGER_URL',
        read: (env) =>
          env.SYSTEM_MANAGER_URL && `http://${env.SYSTEM_MANAGER_URL}:${env.SYSTEM_MANAGER_PORT ?? 10000}`,
      },
    ],
  },
  httpPort: {
    type: settingType.port(),
    default: 10_000,
    description: 'Port of the API.',
    yamlPath: 'http.port',
    group: 'Network',
  },
  stopTimeoutMs: {
    type: settingType.duration({ maxMs: 60_000 }),
    default: '5s',
    description: 'Time to stop.',
  },
  cacheBytes: { type: settingType.byteSize(), default: '64MiB', description: 'Size of the cache.' },
  encrypted: { type: settingType.toggle(), default: true, description: 'Whether traffic is encrypted.' },
  allowLegacy: {
    type: settingType.list(settingType.text({ pattern: /^[\d.]+\/\d+$/, meaning: 'an address range' })),
    default: [],
    description: 'Who may speak plain HTTP.',
  },
  token: {
    type: settingType.mapped(
      settingType.text({ pattern: /^t-/, meaning: 'a token that begins with t-' }),
      (text) => new Hidden(text),
    ),
    isOptional: true,
    isSecret: true,
    description: 'Token to join with.',
  },
  position: {
    type: settingType.schema(z.strictObject({ lat: z.number(), lon: z.number() }), { isJson: true }),
    isOptional: true,
    description: 'Where this machine stands.',
  },
  stateDirectory: {
    type: settingType.text(),
    defaultFrom: ({ role, environment }) =>
      environment.XDG_STATE_HOME === undefined ? undefined : `${environment.XDG_STATE_HOME}/oakestra/${role}`,
    default: '/var/lib/oakestra/x',
    description: 'Where state lives.',
  },
});

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'oak-settings-'));
  file = join(directory, 'worker.yaml');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const load = (argv: string[] = [], env: Environment = {}, yaml?: string) => {
  if (yaml !== undefined) writeFileSync(file, yaml, { mode: 0o600 });
  return loadSettings({ role: 'worker', table, argv, env, file });
};
const violationsOf = async (loading: Promise<unknown>) => {
  const error: unknown = await loading.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SettingsError);
  return (error as SettingsError).message.split('\n').slice(1);
};

describe('loadSettings', () => {
  it('compiles the defaults', async () => {
    const { values, origins, configFile } = await load();
    expect(values).toEqual({
      logLevel: 'info',
      logFormat: 'auto',
      clusterName: 'edge',
      rootUrl: undefined,
      httpPort: 10_000,
      stopTimeoutMs: 5000,
      cacheBytes: 67_108_864,
      encrypted: true,
      allowLegacy: [],
      token: undefined,
      position: undefined,
      stateDirectory: '/var/lib/oakestra/x',
    });
    expect(origins.httpPort).toEqual({ kind: 'default', name: '' });
    expect(origins.rootUrl.kind).toBe('unset');
    expect(configFile).toBeUndefined();
  });

  it('types the values after the table', async () => {
    const { values } = await load();
    expectTypeOf(values.stopTimeoutMs).toEqualTypeOf<number>();
    expectTypeOf(values.rootUrl).toEqualTypeOf<string | undefined>();
    expectTypeOf(values.logLevel).toEqualTypeOf<'debug' | 'info' | 'warn' | 'error'>();
    expectTypeOf(values.token).toEqualTypeOf<Hidden | undefined>();
    expectTypeOf(values.allowLegacy).toEqualTypeOf<readonly string[]>();
    expectTypeOf(values.position).toEqualTypeOf<{ lat: number; lon: number } | undefined>();
  });

  it('prefers flags to environment to file to defaults, and says where each value came from', async () => {
    const yaml = '# comment\nclusterName: from-file\nhttp:\n  port: 3\nstopTimeout: 1s\n';
    const env = { OAKESTRA_CLUSTER_NAME: 'from-env', OAKESTRA_HTTP_PORT: '2' };
    const { values, origins, configFile } = await load(['--http-port', '1'], env, yaml);
    expect([values.httpPort, values.clusterName, values.stopTimeoutMs]).toEqual([1, 'from-env', 1000]);
    expect(origins.httpPort).toEqual({ kind: 'flag', name: '--http-port' });
    expect(origins.clusterName).toEqual({ kind: 'environment', name: 'OAKESTRA_CLUSTER_NAME' });
    expect(origins.stopTimeoutMs).toEqual({ kind: 'file', name: `${file}:5` });
    expect(configFile).toBe(file);
    const fromFile = await load([], {}, yaml);
    expect(fromFile.values.httpPort).toBe(3);
  });

  it('knows the variables of existing installations; ours win, empty ones do not count', async () => {
    const legacy = { CLUSTER_NAME: 'old', SYSTEM_MANAGER_URL: '10.0.0.1', OAKESTRA_CLUSTER_NAME: '' };
    const { values, origins } = await load([], legacy);
    expect(values.clusterName).toBe('old');
    expect(values.rootUrl).toBe('http://10.0.0.1:10000');
    expect(origins.rootUrl).toEqual({ kind: 'environment', name: 'SYSTEM_MANAGER_URL' });
    expect((await load([], { ...legacy, OAKESTRA_CLUSTER_NAME: 'new' })).values.clusterName).toBe('new');
  });

  it('reads all forms of flags', async () => {
    const { values } = await load([
      '--name=a=b',
      '--no-encrypted',
      '--stop-timeout',
      '1m',
      '--allow-legacy',
      '10.0.0.0/8,192.168.0.0/16',
      '--allow-legacy=172.16.0.0/12',
      '--position={"lat":1,"lon":2}',
    ]);
    expect(values).toMatchObject({
      clusterName: 'a=b',
      encrypted: false,
      stopTimeoutMs: 60_000,
      allowLegacy: ['10.0.0.0/8', '192.168.0.0/16', '172.16.0.0/12'],
      position: { lat: 1, lon: 2 },
    });
    expect((await load(['--encrypted=false'])).values.encrypted).toBe(false);
    expect((await load(['--encrypted'], { OAKESTRA_ENCRYPTED: 'no' })).values.encrypted).toBe(true);
  });

  it('reads lists and objects from the file, resolves anchors, ignores empty values', async () => {
    const yaml =
      'allowLegacy: &ranges [10.0.0.0/8]\nposition: {lat: 1, lon: 2}\nclusterName:\nhttp:\nencrypted: false\n';
    const { values } = await load([], {}, yaml);
    expect(values.allowLegacy).toEqual(['10.0.0.0/8']);
    expect(values.position).toEqual({ lat: 1, lon: 2 });
    expect(values.clusterName).toBe('edge');
    expect(values.encrypted).toBe(false);
    expect((await load([], {}, '')).values.clusterName).toBe('edge');
  });

  it('takes the file from --config, then OAKESTRA_CONFIG, then the default place', async () => {
    const other = join(directory, 'other.yaml');
    writeFileSync(other, 'clusterName: other\n', { mode: 0o600 });
    expect((await load(['--config', other], {}, 'clusterName: default\n')).values.clusterName).toBe('other');
    expect((await load([], { OAKESTRA_CONFIG: other })).values.clusterName).toBe('other');
    expect((await load()).values.clusterName).toBe('default');
    const missing = join(directory, 'missing.yaml');
    expect(await violationsOf(load([`--config=${missing}`]))).toEqual([
      `  the file does not exist (${missing})`,
    ]);
  });

  it('derives defaults from role and environment', async () => {
    const { values, origins } = await load([], { XDG_STATE_HOME: '/home/a/state' });
    expect(values.stateDirectory).toBe('/home/a/state/oakestra/worker');
    expect(origins.stateDirectory.kind).toBe('default');
  });

  it('gives a result that nobody can change', async () => {
    const { values } = await load(['--allow-legacy=10.0.0.0/8', '--position={"lat":1,"lon":2}']);
    expect(() => Object.assign(values, { httpPort: 1 })).toThrow(TypeError);
    expect(() => (values.allowLegacy as string[]).push('x')).toThrow(TypeError);
    expect(Object.isFrozen(values.position)).toBe(true);
  });
});

describe('violations', () => {
  it('are all listed, each with setting, reason, value and origin', async () => {
    const yaml = 'clusterNam: x\nhttp:\n  prot: 1\nallowLegacy: [7]\nstopTimeout: 10\n';
    const argv = ['--http-prt', '80', '--stop-timeout=2m', 'stray', '--cache', '--encrypted=maybe'];
    expect(
      await violationsOf(load(argv, { OAKESTRA_LOG_LEVEL: 'loud', OAKESTRA_HTTP_PORT: '99999' }, yaml)),
    ).toEqual([
      '  --http-prt is not a known flag; did you mean --http-port? (flag --http-prt)',
      '  "stray" is not expected: values are given as --name value (command line)',
      '  cacheBytes needs a value (flag --cache)',
      `  clusterNam is not a known setting; did you mean clusterName? (${file}:1)`,
      `  http.prot is not a known setting; did you mean http.port? (${file}:3)`,
      '  logLevel must be one of debug, info, warn, error, not "loud" (environment OAKESTRA_LOG_LEVEL)',
      '  httpPort must be from 1 to 65535, not "99999" (environment OAKESTRA_HTTP_PORT)',
      '  stopTimeoutMs must be at most 1m, not "2m" (flag --stop-timeout)',
      '  encrypted must be true or false, not "maybe" (flag --encrypted)',
      `  allowLegacy entry 1 must be text; put it in quotes, not [7] (${file}:4)`,
    ]);
  });

  it.each([
    ['--name=a --cluster-name=b', 'clusterName is given more than once (flag --cluster-name)'],
    ['--config=a --config=b', 'config is given more than once'],
    ['--no-encrypted=1', 'encrypted takes no value in this form'],
    ['--stop-timeout=10', 'must be a duration with a unit, such as 250ms, 10s or 1m30s, not "10"'],
    ['--cache=64', 'must be a size with a unit'],
    ['--http-port=1e3', 'must be a whole number, not "1e3"'],
    ['--root-url=ftp://x', 'must be an address such as https://… or http://…, not "ftp://x"'],
    ['--name=', 'must not be empty'],
    ['--position={', 'must be JSON'],
    ['--position={"lat":1}', 'is not valid (lon: '],
    ['--nonsense-altogether=1', '--nonsense-altogether is not a known flag (flag'],
  ])('%s: %s', async (argv, expected) => {
    expect((await violationsOf(load(argv.split(' ')))).join('\n')).toContain(expected);
  });

  it('show the place of a mistake in the YAML', async () => {
    expect((await violationsOf(load([], {}, 'a: 1\na: 2\n')))[0]).toMatch(
      /the file is not valid YAML.*\(.*:2\)$/,
    );
    expect((await violationsOf(load([], {}, '- a\n')))[0]).toContain('must hold "setting: value" lines');
    expect((await violationsOf(load([], {}, 'http: 80\n')))[0]).toContain(
      'http must hold settings of its own',
    );
  });

  it('name what is required', async () => {
    const required = defineSettings({ rootUrl: { type: settingType.url(), description: 'x' } });
    const loading = loadSettings({ role: 'cluster', table: required, argv: [], env: {}, file });
    expect(await violationsOf(loading)).toEqual([
      '  rootUrl is required: set --root-url or OAKESTRA_ROOT_URL (not set)',
    ]);
  });

  it('include contradictions between settings', async () => {
    const loading = loadSettings({
      role: 'worker',
      table,
      argv: ['--no-encrypted'],
      env: {},
      file,
      check: ({ encrypted }) =>
        encrypted ? [] : [{ setting: 'encrypted', reason: 'cannot be off together with x' }],
    });
    expect(await violationsOf(loading)).toEqual([
      '  encrypted cannot be off together with x (flag --encrypted)'.replace('--', '--no-'),
    ]);
  });
});

describe('secret settings', () => {
  it('never show up in errors or print-outs', async () => {
    const secret = 'hunter2';
    const wrong = [
      () => load(['--token', secret]),
      () => load(['--tokn', secret]),
      () => load([`--tokn=${secret}`]),
      () => load([], { OAKESTRA_TOKEN: secret }),
      () => load([], {}, `token: ${secret}\n`),
      () => load([], {}, `token: [${secret}]\n`),
    ];
    for (const loading of wrong) {
      const text = (await violationsOf(loading())).join('\n');
      expect(text).not.toContain(secret);
      expect(text).toMatch(/token|tokn/);
    }
    rmSync(file);
    const loaded = await load(['--token', 't-hunter2']);
    expect(loaded.values.token?.reveal()).toBe('t-hunter2');
    const printed = formatSettings(table, loaded);
    expect(printed).not.toContain(secret);
    expect(printed).toMatch(/^token +\*{8} +flag --token$/m);
  });

  it('can come from a file, by flag or by variable', async () => {
    const path = join(directory, 'token');
    writeFileSync(path, 't-from-file\n');
    const byFlag = await load(['--token-file', path]);
    expect(byFlag.values.token?.reveal()).toBe('t-from-file');
    expect(byFlag.warnings).toEqual([]);
    const byVariable = await load([], { OAKESTRA_TOKEN_FILE: path });
    expect(byVariable.values.token?.reveal()).toBe('t-from-file');
    expect(byVariable.origins.token.name).toBe('OAKESTRA_TOKEN_FILE');
    expect((await violationsOf(load(['--token-file=/does/not/exist'])))[0]).toContain(
      'cannot be read from /does/not/exist (ENOENT)',
    );
  });

  it('warn where others can see them', async () => {
    expect((await load(['--token=t-1'])).warnings[0]).toContain('use --token-file instead');
    expect((await load([], { OAKESTRA_TOKEN: 't-1' })).warnings).toEqual([]);
    expect((await load([], {}, 'token: t-1\n')).warnings).toEqual([]);
    chmodSync(file, 0o644);
    expect((await load()).warnings[0]).toContain('set its mode to 0600');
  });
});

describe('defineSettings', () => {
  const plain = { type: settingType.text(), default: 'x', description: 'x' };
  it.each<[string, SettingsTable]>([
    ['the flag http-port', { httpPort: plain, other: { ...plain, flagAliases: ['http-port'] } }],
    ['the flag help', { help: plain }],
    [
      'the environment variable NAME',
      { a: { ...plain, legacyEnvironment: ['NAME'] }, b: { ...plain, legacyEnvironment: ['NAME'] } },
    ],
    ['the place in the file x.y', { a: { ...plain, yamlPath: 'x.y' }, b: { ...plain, yamlPath: 'x.y' } }],
  ])('refuses two settings that use %s', (message, wrong) => {
    expect(() => defineSettings(wrong)).toThrow(message);
  });

  it('refuses a default that its type refuses', () => {
    const type = settingType.duration();
    expect(() => defineSettings({ waitMs: { type, default: 10, description: 'x' } })).toThrow(
      'the default of setting waitMs',
    );
  });
});

describe('print-outs', () => {
  it('show every value in the form that a user writes, with its origin', async () => {
    const printed = formatSettings(table, await load(['--stop-timeout=2500ms'], { CLUSTER_NAME: 'old' }));
    const rows = printed
      .trimEnd()
      .split('\n')
      .map((row) => row.split(/ {2,}/));
    expect(rows).toContainEqual(['stopTimeout', '2s500ms', 'flag --stop-timeout']);
    expect(rows).toContainEqual(['clusterName', 'old', 'environment CLUSTER_NAME']);
    expect(rows).toContainEqual(['cache', '64MiB', 'default']);
    expect(rows).toContainEqual(['http.port', '10000', 'default']);
    expect(rows).toContainEqual(['rootUrl', '-', 'not set']);
    expect(rows).toHaveLength(Object.keys(table).length);
  });

  it('help names every flag, variable, place and default', () => {
    const help = formatHelp({
      role: 'worker',
      table,
      usage: 'oakestra worker [flags]',
      summary: 'Runs instances.',
    });
    expect(help).toMatch(/^Usage: oakestra worker \[flags\]\n\nRuns instances\.\n/);
    expect(help).toContain('--cluster-name, --name <text>\n      Name of this cluster.\n');
    expect(help).toContain('[OAKESTRA_CLUSTER_NAME, CLUSTER_NAME; clusterName in the file; default edge]');
    expect(help).toContain('--[no-]encrypted\n');
    expect(help).toContain('--token, --token-file <text>');
    expect(help).toContain('default 64MiB]');
    expect(help).toContain('\nNetwork:\n  --http-port <port>');
    expect(help).toContain('--print-config');
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
  });

  it('are asked for by flags that work although others are wrong', async () => {
    expect(requestOf(['--wrong', '--help'])).toBe('help');
    expect(requestOf(['-h'])).toBe('help');
    expect(requestOf(['--version'])).toBe('version');
    expect(requestOf(['--print-config', '--http-port=1'])).toBe('print-config');
    expect(requestOf(['--http-port=1', '--', '--help'])).toBe('run');
    await expect(load(['--print-config', '-h', '--version'])).resolves.toBeDefined();
  });
});

describe('nearestName', () => {
  const names = ['cluster-name', 'http-port', 'log-level'];
  it.each([
    ['clustername', 'cluster-name'],
    ['cluster_name', 'cluster-name'],
    ['http-prot', 'http-port'],
    ['loglevle', 'log-level'],
    ['something-else', undefined],
    ['', undefined],
  ])('%s means %s', (name, expected) => {
    expect(nearestName(name, names)).toBe(expected);
  });

  it('finds a name with one wrong letter', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(20), (name, at) => {
        const index = at % name.length;
        return nearestName(`${name.slice(0, index)}q${name.slice(index + 1)}`, names) === name;
      }),
    );
  });
});
