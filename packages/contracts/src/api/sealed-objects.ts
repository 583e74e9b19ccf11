import * as z from 'zod';
import type { Endpoint } from './endpoint.ts';
import { pageQuery, pageSchemaOf } from './pages.ts';

/*
 * Secrets and configs: objects of their own, which services refer to. What a secret holds goes to the workers that need
 * it and to nobody else, so no answer has it.
 */

const id = z.string().regex(/^[0-9a-f]{24}$/);
const time = z.iso.datetime().describe('UTC');
const text = z.string().max(256).optional();

const content = {
  text: z.string().optional().describe('The content as text; either this or `base64`'),
  base64: z.string().optional().describe('The content as bytes in base64'),
};
const description = z.string().max(1000);

const newObjectSchema = z.strictObject({
  name: z.string().describe('1 to 63 letters, digits, ".", "_" and "-", unique among those of the owner'),
  description: description.optional(),
  ...content,
});

const newVersionSchema = z.strictObject({ description: description.optional(), ...content });

const versionSchema = z.object({ version: z.int().min(1), sizeBytes: z.int().min(0), createdAt: time });

const objectSchema = z.object({
  id,
  name: z.string(),
  description: z.string(),
  ownerUserId: z.string(),
  version: z.int().min(1).describe('The newest one'),
  versions: z.array(versionSchema).describe('Those that are kept, newest first'),
});

const configContentSchema = objectSchema.extend({
  content: z.object({
    version: z.int().min(1),
    text: z.string().nullable().describe('Null when it is no text'),
    base64: z.string(),
  }),
});

const listQuery = z.object({ ...pageQuery, name: text });
const REFUSED = 'Refused while a service refers to it; the error names the services.';
const NEWEST =
  'Instances that run keep what they have; those that are deployed from now on get the new version.';

export const sealedObjectEndpoints = {
  createSecret: {
    method: 'POST',
    path: '/secrets',
    access: 'user',
    summary: 'Create a secret of at most 64 KiB; nobody can read its value back',
    body: newObjectSchema,
    isSensitive: true,
    reply: objectSchema,
    status: 201,
  },
  listSecrets: {
    method: 'GET',
    path: '/secrets',
    access: 'user',
    summary: 'Secrets, by name, without their values',
    query: listQuery,
    reply: pageSchemaOf(objectSchema),
  },
  readSecret: {
    method: 'GET',
    path: '/secrets/{secretId}',
    access: 'user',
    summary: 'One secret, without its value',
    reply: objectSchema,
  },
  putSecret: {
    method: 'PUT',
    path: '/secrets/{secretId}',
    access: 'user',
    summary: 'Give a secret a new version',
    description: NEWEST,
    body: newVersionSchema,
    isSensitive: true,
    reply: objectSchema,
  },
  deleteSecret: {
    method: 'DELETE',
    path: '/secrets/{secretId}',
    access: 'user',
    summary: 'Remove a secret with all its versions',
    description: REFUSED,
  },
  createConfig: {
    method: 'POST',
    path: '/configs',
    access: 'user',
    summary: 'Create a config of at most 1 MiB',
    body: newObjectSchema,
    isSensitive: true,
    reply: objectSchema,
    status: 201,
  },
  listConfigs: {
    method: 'GET',
    path: '/configs',
    access: 'user',
    summary: 'Configs, by name, without their content',
    query: listQuery,
    reply: pageSchemaOf(objectSchema),
  },
  readConfig: {
    method: 'GET',
    path: '/configs/{configId}',
    access: 'user',
    summary: 'One config with its content',
    query: z.object({ version: z.coerce.number().int().min(1).optional().describe('Default: the newest') }),
    reply: configContentSchema,
  },
  putConfig: {
    method: 'PUT',
    path: '/configs/{configId}',
    access: 'user',
    summary: 'Give a config a new version',
    description: NEWEST,
    body: newVersionSchema,
    isSensitive: true,
    reply: objectSchema,
  },
  deleteConfig: {
    method: 'DELETE',
    path: '/configs/{configId}',
    access: 'user',
    summary: 'Remove a config with all its versions',
    description: REFUSED,
  },
} as const satisfies Readonly<Record<string, Endpoint>>;

export type SealedObjectResource = z.infer<typeof objectSchema>;
