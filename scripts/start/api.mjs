// The few calls of the root's API that the demo needs, over plain HTTP on loopback.
import { request } from 'node:http';

const TIMEOUT_MS = 15_000;

/** The API said no; the message is its own. */
class ApiError extends Error {
  name = 'ApiError';
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {string} base such as `http://127.0.0.1:10000`
 */
export function connectApi(base) {
  let token = '';
  /**
   * @param {'GET' | 'POST' | 'DELETE'} method
   * @param {string} path
   * @param {unknown} [body]
   */
  const call = async (method, path, body) => {
    const { status, text } = await send(`${base}${path}`, {
      method,
      body: body === undefined ? undefined : JSON.stringify(body),
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    });
    if (status !== 200) throw new ApiError(status, messageIn(text) ?? `HTTP ${status}`);
    return decode(text);
  };
  return {
    /**
     * @param {string} username
     * @param {string} password
     */
    async login(username, password) {
      ({ token } = await call('POST', '/api/auth/login', { username, password }));
    },
    /** @returns {Promise<any[]>} */
    applications: () => call('GET', '/api/application'),
    /** @param {unknown} sla @returns {Promise<any[]>} */
    submit: (sla) => call('POST', '/api/application', sla),
    /** @param {string} id @returns {Promise<any>} */
    service: (id) => call('GET', `/api/service/${id}`),
    /** @param {string} id */
    deploy: (id) => call('POST', `/api/service/${id}/instance`),
  };
}

/**
 * The status of an answer, or undefined when nobody answers.
 * @param {string} url
 * @param {number} [timeoutMs]
 */
export async function statusOf(url, timeoutMs = 2000) {
  try {
    return (await send(url, { method: 'GET', timeoutMs })).status;
  } catch {
    return undefined;
  }
}

/**
 * @param {string} url
 * @param {{ method: string, body?: string, headers?: Record<string, string>, timeoutMs?: number }} options
 * @returns {Promise<{ status: number, text: string }>}
 */
function send(url, { method, body, headers = {}, timeoutMs = TIMEOUT_MS }) {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method,
        agent: false,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        signal: AbortSignal.timeout(timeoutMs),
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.once('error', reject);
      },
    );
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

/**
 * Some answers are JSON in a JSON text (root-api 2.2).
 * @param {string} text
 */
function decode(text) {
  const value = JSON.parse(text);
  return typeof value === 'string' ? JSON.parse(value) : value;
}

/** @param {string} text */
function messageIn(text) {
  try {
    const value = decode(text);
    return typeof value?.message === 'string' ? value.message : undefined;
  } catch {
    return text.slice(0, 300) || undefined;
  }
}
