import { recordingLogger } from '@oakestra/store/testing';
import { describe, expect, it } from 'vitest';
import { createHttpApp } from '../../http/index.ts';
import { classicRoutes } from '../classic-face.ts';
import { organisationRoutes } from '../organisation-routes.ts';
import { userRoutes } from '../user-routes.ts';
import { classicDescriptions } from './descriptions.ts';
import { classicDocsFace } from './docs-face.ts';
import { classicOpenApi, type DescribedRoute } from './document.ts';

/** Nothing is called, so the parts need not be there. */
const nothing = {} as never;
const routes: DescribedRoute[] = [
  ...classicRoutes({
    identity: nothing,
    applications: nothing,
    deployments: nothing,
    clusters: nothing,
    legacyClusters: nothing,
    isLegacyAddress: nothing,
  }),
  ...userRoutes(nothing),
  ...organisationRoutes(nothing),
];

interface Operation {
  readonly summary: string;
  readonly tags: readonly string[];
  readonly parameters: readonly { readonly name: string }[];
  readonly security?: readonly unknown[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> };
  readonly responses: Record<string, unknown>;
}
const document = classicOpenApi(routes) as {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Record<string, unknown>> };
};

describe('the document of the classic interface', () => {
  it('is what root-api 2.5 says it is', () => {
    expect(document).toMatchObject({
      openapi: '3.0.2',
      info: { title: 'Oakestra root api', version: 'v1' },
      'x-internal-id': '1',
      security: [{ bearerAuth: [] }],
      components: {
        securitySchemes: { bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      },
    });
  });

  it('has every route that is served, in words, and no other', () => {
    const described = classicDescriptions();
    const missing = routes
      .map(({ method, path }) => `${method} ${path}`)
      .filter((key) => !(key in described));
    expect(missing).toEqual([]);
    const count = Object.values(document.paths).flatMap((operations) => Object.keys(operations)).length;
    expect(count).toBe(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size);
  });

  it('names collections with their slash and parameters in braces, and declares each of them', () => {
    expect(document.paths).toHaveProperty(['/api/application/', 'post']);
    expect(document.paths).toHaveProperty(['/api/service/{id}/instance/{number}', 'delete']);
    for (const [path, operations] of Object.entries(document.paths)) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(operations)) {
        expect(
          parameters.map(({ name }) => name),
          path,
        ).toEqual(inPath);
      }
    }
  });

  it('says who may call', () => {
    expect(document.paths['/api/auth/login']?.post?.security).toEqual([]);
    expect(document.paths['/api/clusters/']?.get).not.toHaveProperty('security');
    expect(document.paths['/api/services/']?.get).toMatchObject({ description: 'Needs the role Admin.' });
  });

  it('embeds the deployment descriptor as what POST /api/application/ takes', () => {
    const body = document.paths['/api/application/']?.post?.requestBody?.content['application/json'];
    expect(body?.schema).toEqual({ $ref: '#/components/schemas/Sla' });
    expect(document.components.schemas.Sla?.required).toContain('applications');
  });

  it('has no reference that leads nowhere', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(10);
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name as string);
  });
});

describe('the page', () => {
  const app = createHttpApp({ faces: [classicDocsFace(routes)], logger: recordingLogger(), cors: [] });
  const get = (url: string) => app.inject({ method: 'GET', url });

  it('is served with and without a slash, with all that it needs', async () => {
    for (const url of ['/api/docs', '/api/docs/']) {
      const reply = await get(url);
      expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
      const needed = [...reply.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
      expect(new Set(needed).size).toBe(3);
      for (const path of needed) expect((await get(path)).statusCode, path).toBe(200);
    }
    expect((await get('/docs/openapi.json')).json()).toEqual(document);
  });

  it('loads from nowhere else and runs nothing inline', async () => {
    const { headers, body } = await get('/api/docs');
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    const script = (await get('/api/docs/page.js')).body;
    const style = (await get('/api/docs/page.css')).body;
    for (const text of [body, script, style]) expect(text).not.toMatch(/https?:\/\//);
    expect(body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=/);
    // What it shows comes from outside of it.
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  it('has a script that can be read', async () => {
    const script = (await get('/api/docs/page.js')).body;
    expect(() => new Function(script)).not.toThrow();
  });
});
