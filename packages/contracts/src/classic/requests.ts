import * as z from 'zod';

/** Body of `POST /api/auth/login` (root-api 3.3). Without an organisation: the one named `root`. */
export const loginRequestSchema = z.looseObject({
  username: z.string(),
  password: z.string(),
  organization_name: z.string().nullish(),
});

export type LoginRequest = z.infer<typeof loginRequestSchema>;
