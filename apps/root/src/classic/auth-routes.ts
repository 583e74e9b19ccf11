import { OakestraError } from '@oakestra/contracts';
import { loginRequestSchema } from '@oakestra/contracts/classic';
import type { Identity } from '../identity/index.ts';
import { plain, type Route } from './route.ts';

/** Login and refresh (root-api 3.3). */
export function authRoutes(identity: Identity): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/auth/login',
      access: 'public',
      body: 'json',
      async handle({ body, remoteAddress }) {
        const parsed = loginRequestSchema.safeParse(body);
        if (!parsed.success) {
          const message = 'A login needs the texts username and password, and may have organization_name.';
          throw new OakestraError('invalid', 'login-invalid', message);
        }
        const { username, password, organization_name: organisation } = parsed.data;
        const { accessToken, refreshToken } = await identity.login({
          ...{ userName: username, password, address: remoteAddress },
          organisation: organisation ?? undefined,
        });
        return plain({ token: accessToken, refresh_token: refreshToken });
      },
    },
    {
      method: 'POST',
      path: '/api/auth/refresh',
      access: 'refresh',
      async handle(_call, refreshToken) {
        const { accessToken } = await identity.refresh(refreshToken);
        return plain({ token: accessToken });
      },
    },
  ];
}
