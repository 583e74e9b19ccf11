import { OakestraError } from '@oakestra/contracts';
import { openApiOf } from './openapi.ts';
import { type AbstractorRoute, plain } from './route.ts';

/** Whether it answers, and what it offers (root-api 2.6, 11). */
export function stateRoutes(allRoutes: () => readonly AbstractorRoute[]): AbstractorRoute[] {
  return [
    {
      ...{ method: 'GET', path: '/status', access: 'public', summary: 'Whether the abstractor answers.' },
      handle: async () => plain({ status: 'ok' }),
    },
    {
      ...{ method: 'GET', path: '/docs/openapi.json', access: 'public', summary: 'This document.' },
      handle: async () => plain(openApiOf(allRoutes())),
    },
  ];
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Hooks and custom resources (root-api 11.4, 11.5) are not there yet, and say so. */
export function extensionRoutes(): AbstractorRoute[] {
  return [
    ['Hooks', '/api/v1/hooks'],
    ['Custom resources', '/api/v1/custom-resources'],
  ].flatMap(([what, path]) =>
    ['', '/:first', '/:first/:second'].flatMap((rest) =>
      METHODS.map(
        (method): AbstractorRoute => ({
          ...{ method, path: `${path}${rest}`, access: 'authorized' },
          summary: `${what}: not available yet.`,
          async handle() {
            throw new OakestraError(
              'unsupported',
              'extensions-missing',
              `${what} are not available at this root yet; resources, applications and jobs are.`,
            );
          },
        }),
      ),
    ),
  );
}
