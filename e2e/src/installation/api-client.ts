import { type RequestOptions, request } from 'node:https';
import { OakestraError } from '@oakestra/contracts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed as the compatible interface writes it, also when that is JSON in a JSON text. */
  readonly body: unknown;
}

export interface ApiClientOptions {
  readonly host: string;
  readonly port: number;
  readonly caPem: string;
  /** Read when it is needed: the root makes it at its first start. */
  readonly password: () => Promise<string>;
}

/** The fields of an instance that tests look at (root-api 6.3). */
export interface InstanceDocument {
  readonly instance_number: number;
  readonly status: string;
  readonly status_detail: string;
  readonly cluster_id: string;
  readonly worker_id: string | null;
  readonly host_ip: string | null;
  readonly cpu_percent: string | null;
  readonly memory_percent: string | null;
  readonly disk: string | null;
  readonly logs: string;
}

export interface ServiceDocument {
  readonly microserviceID: string;
  readonly job_name: string;
  readonly status?: string;
  readonly status_detail?: string;
  readonly instance_list: readonly InstanceDocument[];
}

export interface ApplicationDocument {
  readonly applicationID: string;
  readonly application_name: string;
  readonly microservices: readonly string[];
}

/** A client of the root's API over HTTPS that trusts one authority only. */
export interface ApiClient {
  /** Any answer is a result. Rejects when there is none. */
  request(method: string, path: string, options?: { body?: unknown; token?: string }): Promise<ApiAnswer>;
  /** As the administrator; rejects unless the answer is 200. */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  login(): Promise<string>;
  submit(sla: unknown): Promise<readonly ApplicationDocument[]>;
  applications(): Promise<readonly ApplicationDocument[]>;
  service(id: string): Promise<ServiceDocument>;
  services(): Promise<readonly ServiceDocument[]>;
  deploy(serviceId: string): Promise<void>;
  /** -1: all. */
  undeploy(serviceId: string, number: number): Promise<void>;
}

const TIMEOUT_MS = 10_000;

export function createApiClient({ host, port, caPem, password }: ApiClientOptions): ApiClient {
  let token: string | undefined;

  const ask: ApiClient['request'] = (method, path, { body, token: bearer } = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const headers: Record<string, string> = {
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    };
    return send({ host, port, ca: caPem, method, path, headers, agent: false, timeout: TIMEOUT_MS }, text);
  };

  const login = async (): Promise<string> => {
    const answer = await ask('POST', '/api/auth/login', {
      body: { username: 'Admin', password: await password() },
    });
    if (answer.status !== 200) throw refused('POST', '/api/auth/login', answer);
    return (answer.body as { readonly token: string }).token;
  };

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    token ??= await login();
    let answer = await ask(method, path, { body, token });
    if (answer.status === 401) {
      token = await login();
      answer = await ask(method, path, { body, token });
    }
    if (answer.status !== 200) throw refused(method, path, answer);
    return answer.body as T;
  };

  return {
    request: ask,
    call,
    login,
    submit: (sla) => call('POST', '/api/application', sla),
    applications: () => call('GET', '/api/application'),
    service: (id) => call('GET', `/api/service/${id}`),
    services: () => call('GET', '/api/services'),
    async deploy(serviceId) {
      await call('POST', `/api/service/${serviceId}/instance`);
    },
    async undeploy(serviceId, number) {
      await call('DELETE', `/api/service/${serviceId}/instance/${number}`);
    },
  };
}

function refused(method: string, path: string, { status, body }: ApiAnswer): OakestraError {
  return new OakestraError('invalid', 'api-refused', `${method} ${path}: ${status} ${JSON.stringify(body)}`, {
    details: { status, body },
  });
}

function send(options: RequestOptions, text: string | undefined): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const call = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers, body: parse(Buffer.concat(parts).toString('utf8')) });
      });
    });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    call.on('error', reject);
    call.end(text);
  });
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? JSON.parse(value) : value;
  } catch {
    return text;
  }
}
