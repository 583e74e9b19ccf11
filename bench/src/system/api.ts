import { Agent, type IncomingMessage, request } from 'node:http';
import { OakestraError } from '@oakestra/contracts';

/** An instance as users see it. */
export interface SeenInstance {
  readonly number: number;
  readonly status: string;
  readonly detail: string;
}

/** The API of a root as a user has it: over HTTP, with a token, on connections that stay open. */
export interface Api {
  /** Registers an application of one service; resolves to the id of the service. */
  createService(service: Readonly<Record<string, unknown>> & { readonly name: string }): Promise<string>;
  deploy(serviceId: string): Promise<void>;
  undeploy(serviceId: string, instance: number): Promise<void>;
  undeployAll(serviceId: string): Promise<void>;
  instances(serviceId: string): Promise<readonly SeenInstance[]>;
  close(): void;
}

const TIMEOUT_MS = 30_000;
const CONNECTIONS = 8;

export async function openApi(options: { readonly port: number; readonly password: string }): Promise<Api> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, noDelay: true });
  let token = '';
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const { status, text } = await send(method, path, body);
    if (status !== 200) {
      throw new OakestraError('internal', 'api-refused', `${method} ${path}: HTTP ${status}: ${text}`);
    }
    const value: unknown = JSON.parse(text);
    // Some answers are JSON in a JSON text (root-api 2.2).
    return typeof value === 'string' ? JSON.parse(value) : value;
  };
  const send = (
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly status: number; readonly text: string }> =>
    new Promise((resolve, reject) => {
      const payload = body === undefined ? undefined : JSON.stringify(body);
      const outgoing = request({
        host: '127.0.0.1',
        port: options.port,
        agent,
        method,
        path,
        timeout: TIMEOUT_MS,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(payload === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      });
      outgoing.once('response', (response: IncomingMessage) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', reject);
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
      outgoing.once('error', reject);
      outgoing.end(payload);
    });

  const login = { username: 'Admin', password: options.password };
  token = String(fields(await call('POST', '/api/auth/login', login)).token);
  return {
    async createService({ name, ...service }) {
      const sla = {
        sla_version: 'v2.0',
        customerID: 'Admin',
        applications: [
          {
            application_name: name,
            application_namespace: 'bench',
            microservices: [
              {
                microservice_name: name,
                microservice_namespace: 'bench',
                virtualization: 'container',
                ...service,
              },
            ],
          },
        ],
      };
      const applications = (await call('POST', '/api/application', sla)) as readonly unknown[];
      const application = applications.map(fields).find((one) => one.application_name === name);
      const [id] = (application?.microservices ?? []) as readonly unknown[];
      return String(id);
    },
    async deploy(serviceId) {
      await call('POST', `/api/service/${serviceId}/instance`);
    },
    async undeploy(serviceId, instance) {
      await call('DELETE', `/api/service/${serviceId}/instance/${instance}`);
    },
    async undeployAll(serviceId) {
      await call('DELETE', `/api/service/${serviceId}/instance/-1`);
    },
    async instances(serviceId) {
      const service = fields(await call('GET', `/api/service/${serviceId}`));
      return (service.instance_list as readonly unknown[]).map(fields).map((instance) => ({
        number: Number(instance.instance_number),
        status: String(instance.status),
        detail: String(instance.status_detail),
      }));
    },
    close: () => agent.destroy(),
  };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return value as Readonly<Record<string, unknown>>;
}
