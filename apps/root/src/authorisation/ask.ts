import type { InjectOptions } from 'fastify';
import { WORKER_ID } from '../testing/index.ts';
import type { Column, Relation } from './columns.ts';
import type { Port } from './ports.ts';
import type { Row } from './row.ts';
import { CLUSTER_ID, LAST_EVENT, type Target, type World } from './world.ts';

interface Asked {
  readonly world: World;
  readonly port: Port;
}

/** Sends the request of a row and says in one sign what came of it. */
export async function ask(
  { world, port }: Asked,
  row: Row,
  { column, relation }: { readonly column: Column; readonly relation: Relation },
): Promise<string> {
  const target = world.targetFor(column, relation);
  const { access, refresh } = world.credentialsOf(column);
  const token = row.withRefreshToken === true ? (refresh ?? access) : access;
  const [method = '', pattern = ''] = row.route.split(' ');
  const { status, text } = await answerOf({ world, port }, row, {
    method: method as 'GET',
    url: urlOf(pattern, target),
    remoteAddress: '198.51.100.7',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    ...(row.body === undefined ? {} : { payload: row.body(target) as object }),
  });
  const isDone = status >= 200 && status < 300;
  if (isDone && method !== 'GET') await world.reset();
  if (isDone && row.contains !== undefined) return text.includes(row.contains(target)) ? '+' : '0';
  if (isDone || row.alsoDone?.includes(status) === true) return '+';
  // Who is refused and served nevertheless is worse than who is let in.
  if (method !== 'GET' && !(await world.isUntouched())) {
    await world.reset();
    return `(${status}, but done)`;
  }
  return SIGNS[status] ?? `(${status})`;
}

const SIGNS: Readonly<Record<number, string>> = { 401: '!', 403: '-', 404: '0' };

async function answerOf({ world, port: { app } }: Asked, row: Row, request: InjectOptions) {
  if (row.isStream !== true) {
    const { statusCode: status, body: text } = await app.inject(request);
    return { status, text };
  }
  // From the first event on; everybody sees the last one.
  const headers = { ...request.headers, 'last-event-id': `${world.events.life}-0` };
  const reply = await app.inject({ ...request, headers, payloadAsStream: true });
  const stream = reply.stream();
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.includes(LAST_EVENT)) break;
  }
  stream.destroy();
  return { status: reply.statusCode, text };
}

/** `:id` is that of what the path names before it. */
export function urlOf(pattern: string, target: Target): string {
  const { user, organisation, application, secretId, configId } = target;
  const ids: Readonly<Record<string, string>> = {
    ...{ application: application.id, applications: application.id },
    ...{ service: application.serviceId, jobs: application.serviceId },
    ...{ organization: organisation.id, resources: CLUSTER_ID },
  };
  const parameters: Readonly<Record<string, string>> = {
    ...{ applicationId: application.id, serviceId: application.serviceId, number: '0' },
    ...{ secretId, configId },
    ...{ clusterId: CLUSTER_ID, workerId: WORKER_ID, organisationId: organisation.id },
    ...{ username: user.name, userId: user.id, tokenId: user.tokenId, first: 'x', second: 'y' },
  };
  const parts = pattern.split('/');
  const filled = parts.map((part, index) => {
    if (!part.startsWith(':')) return part;
    const value = part === ':id' ? ids[parts[index - 1] ?? ''] : parameters[part.slice(1)];
    if (value === undefined) throw new Error(`say in ask.ts what ${part} of ${pattern} stands for`);
    return value;
  });
  return filled.join('/');
}
