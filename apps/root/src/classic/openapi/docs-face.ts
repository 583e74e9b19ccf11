import { encodeBody } from '@oakestra/contracts/classic';
import type { FastifyInstance } from 'fastify';
import type { Face } from '../../http/index.ts';
import { classicOpenApi, type DescribedRoute } from './document.ts';
import {
  DOCUMENT_PATH,
  PAGE_HTML,
  PAGE_PATH,
  PAGE_SCRIPT,
  PAGE_STYLE,
  SCRIPT_PATH,
  STYLE_PATH,
} from './page.ts';

/** The page may load from this server and nowhere else, runs no inline script, and sits in no frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The document of the classic interface and a page to browse it (root-api 2.5), for everybody. */
export function classicDocsFace(routes: readonly DescribedRoute[]): Face {
  return (app) => addDocs(app, routes);
}

function addDocs(app: FastifyInstance, routes: readonly DescribedRoute[]): void {
  // Made at the first request, and then once: it does not change.
  let document: Buffer | undefined;
  const page = Buffer.from(PAGE_HTML);
  const script = Buffer.from(PAGE_SCRIPT);
  const style = Buffer.from(PAGE_STYLE);
  const serve = (path: string, contentType: string, content: () => Buffer): void => {
    app.get(path, { config: { access: 'public', anyRoot: true } }, async (_request, reply) =>
      reply
        .headers({
          'content-security-policy': POLICY,
          'content-type': contentType,
          'referrer-policy': 'no-referrer',
        })
        .send(content()),
    );
  };
  serve(DOCUMENT_PATH, 'application/json', () => {
    document ??= Buffer.from(encodeBody('plain', classicOpenApi(routes)).text);
    return document;
  });
  serve(PAGE_PATH, 'text/html; charset=utf-8', () => page);
  serve(SCRIPT_PATH, 'text/javascript; charset=utf-8', () => script);
  serve(STYLE_PATH, 'text/css; charset=utf-8', () => style);
}
