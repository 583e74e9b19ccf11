import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from './ask.ts';
import type { Relation } from './columns.ts';
import { GROUPS } from './columns.ts';
import { createPorts, type PortName } from './ports.ts';
import { TABLES } from './tables.ts';
import { createWorld, type World } from './world.ts';

let world: World;
let ports: Awaited<ReturnType<typeof createPorts>>;

beforeAll(async () => {
  world = await createWorld();
  ports = await createPorts(world);
});

afterAll(async () => {
  await Promise.all(Object.values(ports ?? {}).map(({ app }) => app.close()));
  await world.close();
});

describe.each(Object.entries(TABLES))('at the port %s', (name, rows) => {
  const port = name as PortName;

  it('each route has a row, and each row a route', () => {
    const written = rows.map(({ route }) => route);
    const unwritten = ports[port].routes.filter((route) => !written.includes(route));
    expect(unwritten, 'add a row for each to the tables in src/authorisation: who may?').toEqual([]);
    const gone = written.filter((route) => !ports[port].routes.includes(route));
    expect(gone, 'take these rows out of the tables in src/authorisation').toEqual([]);
    expect(new Set(written).size, 'a route has two rows').toBe(written.length);
  });

  it('other methods are refused', async () => {
    const { app, refusals } = ports[port];
    for (const { method, url } of refusals) {
      const { statusCode } = await app.inject({ method, url });
      expect(statusCode, `${method} ${url}: routes have one method each`).toBe(405);
    }
  });

  it.each(rows.map((row) => [row.route, row] as const))('%s', async (_route, row) => {
    const relations = Object.keys(row.lines) as Relation[];
    const answered: Partial<Record<Relation, string>> = {};
    for (const relation of relations) {
      const groups: string[] = [];
      for (const columns of GROUPS) {
        let signs = '';
        for (const column of columns) {
          signs += await ask({ world, port: ports[port] }, row, { column, relation });
        }
        groups.push(signs);
      }
      answered[relation] = groups.join(' ');
    }
    const { lines, yet } = row;
    if (yet !== undefined) {
      expect(answered, `it is no more so that ${yet.why}: take \`yet\` out`).not.toEqual(lines);
    }
    expect(answered, 'the columns are in columns.ts').toEqual({ ...lines, ...yet?.lines });
  });
});
