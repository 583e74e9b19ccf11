import type http from 'node:http';
import { OakestraError, type Sensitive } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import type { HttpTransport } from './http-transport.ts';
import { imageError } from './image-errors.ts';
import { failedAnswer } from './registry-answer.ts';
import type { RegistryAuth } from './registry-auth.ts';
import { answerError, connectionError, type FailedAnswer, type Subject } from './registry-errors.ts';
import { allowsPlainHttp, type Registries, type RegistryEndpoint, settingName } from './registry-settings.ts';

const MAX_REDIRECTS = 5;

interface EndpointRequest {
  readonly endpoint: RegistryEndpoint;
  readonly repository: string;
  readonly subject: Subject;
  readonly method: 'GET' | 'HEAD';
  /** Below the repository: `manifests/latest`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** Sends one request to one endpoint: authorisation, redirects, and errors that name the cause. */
export interface RegistryRequests {
  /** The successful answer (2xx); its body has not been read. */
  send(request: EndpointRequest): Promise<http.IncomingMessage>;
}

export function createRegistryRequests(options: {
  readonly transport: HttpTransport;
  readonly auth: RegistryAuth;
  readonly registries: Registries;
  readonly clock: Clock;
}): RegistryRequests {
  const { transport, auth, registries, clock } = options;

  const follow = async (
    request: EndpointRequest,
    authorization: Sensitive | undefined,
  ): Promise<{ response: http.IncomingMessage; url: URL }> => {
    const { endpoint, method, headers, signal } = request;
    let url = new URL(`v2/${request.repository}/${request.path}`, endpoint.baseUrl);
    for (let redirects = 0; ; redirects++) {
      // Only the registry itself may see the authorisation, wherever it sends us.
      const isHome = url.origin === endpoint.baseUrl.origin;
      const secret = isHome && authorization !== undefined ? { authorization: authorization.reveal() } : {};
      const response = await exchange(request, { method, url, headers: { ...headers, ...secret }, signal });
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) {
        return { response, url };
      }
      response.destroy();
      url = nextUrl(location, url, redirects, endpoint);
    }
  };

  const exchange = async (request: EndpointRequest, http: Parameters<HttpTransport['send']>[0]) => {
    try {
      return await transport.send(http);
    } catch (error) {
      request.signal.throwIfAborted();
      throw error instanceof OakestraError ? error : connectionError(error, http.url, request.endpoint);
    }
  };

  const nextUrl = (location: string, from: URL, redirects: number, endpoint: RegistryEndpoint): URL => {
    const refuse = (reason: string): Error =>
      imageError('registry-refused', `Registry ${endpoint.host} redirects ${reason}`, {
        details: { registry: endpoint.host },
      });
    if (redirects >= MAX_REDIRECTS) throw refuse(`more than ${MAX_REDIRECTS} times`);
    if (!URL.canParse(location, from.href)) throw refuse('to an address that is not valid');
    const url = new URL(location, from);
    if (url.protocol === 'https:') return url;
    if (url.protocol !== 'http:') throw refuse(`to "${url.protocol}", which is not HTTP`);
    if (from.protocol === 'https:' || !allowsPlainHttp(url.host, registries)) {
      throw refuse(
        `to ${url.host} without TLS. If that is intended, reach both without TLS: ${settingName(url.host, 'plainHttp')}`,
      );
    }
    return url;
  };

  return {
    async send(request) {
      const { endpoint, repository, subject, signal } = request;
      const isDenied = ({ response, url }: { response: http.IncomingMessage; url: URL }) =>
        response.statusCode === 401 && url.origin === endpoint.baseUrl.origin;
      const first = await follow(request, auth.cached(endpoint, repository));
      const last = isDenied(first)
        ? await follow(request, await auth.answer(first.response, { endpoint, repository, subject, signal }))
        : first;

      const status = last.response.statusCode ?? 0;
      if (status >= 200 && status < 300) return last.response;
      const answer = await failedAnswer(last.response, transport, clock);
      throw last.url.origin === endpoint.baseUrl.origin
        ? answerError(answer, subject, endpoint)
        : storageError(answer, last.url, endpoint);
    },
  };
}

/** The registry sent us on, and that place refuses: neither name nor credentials of the image are to blame. */
function storageError(answer: FailedAnswer, url: URL, endpoint: RegistryEndpoint): OakestraError {
  return imageError(
    'registry-refused',
    `Registry ${endpoint.host} sends us to ${url.host}, which answered ${answer.status}`,
    { details: { registry: endpoint.host, status: answer.status, isTemporary: true } },
  );
}
