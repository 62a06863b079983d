import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { apiKeyEntrySchema, EmbedmillError, scopeSchema, wantedKeySchema } from '@embedmill/jobs';
import type { ApiKeys } from '../access/api-keys.ts';
import type { AccessOptions } from '../access/authorize.ts';
import { currentPrincipal, EVERYONE } from '../access/principal.ts';
import { problemResponses } from '../http/problem.ts';

const tags = ['access'];
const signInSchema = z
  .strictObject({
    required: z.boolean().meta({ description: 'Whether requests need a key or a token.' }),
    keys: z.boolean().meta({ description: 'Whether keys are accepted.' }),
    oidc: z
      .strictObject({
        issuer: z
          .string()
          .meta({ description: 'The issuer, which serves `/.well-known/openid-configuration`.' }),
        audience: z.string().meta({ description: 'The audience that tokens must have.' }),
        clientId: z.string().nullable().meta({
          description:
            'The client id with which a page requests tokens by an authorization code with PKCE; null if none is configured, so that pages cannot sign in.',
        }),
        scopes: z.array(z.string()).meta({ description: 'The scopes to request.' }),
      })
      .nullable()
      .meta({ description: 'The issuer whose tokens are accepted; null if none.' }),
  })
  .meta({ id: 'SignIn' });
const principalSchema = z
  .strictObject({
    name: z.string().meta({ description: 'The name of the key, or the subject of the token.' }),
    everyone: z.boolean().meta({ description: 'Whether this server works without keys.' }),
    scopes: z.array(scopeSchema),
    tenant: z.string().nullable().meta({ description: 'The only tenant that it can access; null for all.' }),
    collections: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The only collections that it can access; null for all.' }),
  })
  .meta({ id: 'Principal' });
const { name, id, scopes, collections, requestsPerSecond, concurrency, expires } = apiKeyEntrySchema.shape;
const keySchema = z
  .strictObject({
    name,
    id,
    scopes,
    tenant: z
      .string()
      .optional()
      .meta({ description: 'The only tenant that it can access; all by default.' }),
    collections,
    requestsPerSecond,
    concurrency,
    expires,
    expired: z.boolean().meta({ description: 'Whether the key has expired.' }),
    keptIn: z.enum(['file', 'queue']).meta({
      description:
        'Whether the key comes from the keys file, or was created through the API and can be revoked through it.',
    }),
  })
  .meta({ id: 'Key' });

/** API keys, how clients sign in, and whom the current request comes from. */
export function accessRoutes(
  { keysFile, oidc }: AccessOptions,
  keys: Pick<ApiKeys, 'list' | 'create' | 'revoke'> | undefined,
): FastifyPluginAsyncZod {
  return async (server) => {
    server.get(
      '/sign-in',
      {
        config: { access: 'open' },
        schema: { tags, summary: 'How to sign in', response: { 200: signInSchema, ...problemResponses } },
      },
      async () => ({
        required: keysFile !== undefined || oidc !== undefined,
        keys: keys !== undefined,
        oidc:
          oidc === undefined
            ? null
            : {
                issuer: oidc.issuer,
                audience: oidc.audience,
                clientId: oidc.clientId ?? null,
                scopes: [...(oidc.scopes ?? ['openid'])],
              },
      }),
    );

    server.get(
      '/principal',
      {
        config: { access: 'any' },
        schema: { tags, summary: 'Who asks', response: { 200: principalSchema, ...problemResponses } },
      },
      async () => {
        const principal = currentPrincipal();
        return {
          name: principal.name,
          everyone: principal === EVERYONE,
          scopes: [...principal.scopes],
          tenant: principal.tenant ?? null,
          collections: principal.collections === undefined ? null : [...principal.collections],
        };
      },
    );

    server.get(
      '/keys',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'List the keys, without their secrets',
          description:
            'Includes the keys of the keys file, which the server never writes, and the keys created through the API.',
          response: { 200: z.strictObject({ keys: z.array(keySchema) }), ...problemResponses },
        },
      },
      async () => ({ keys: (await keys?.list()) ?? [] }),
    );

    server.post(
      '/keys',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Create a key; it is shown only once',
          description:
            'Only a hash of the key is stored, where every replica reads it. A caller that is bound to a tenant or to collections can only create keys for them.',
          body: wantedKeySchema,
          response: {
            201: z.strictObject({
              key: z.string().meta({ description: 'The key to send as `Authorization: Bearer`.' }),
              entry: keySchema,
            }),
            ...problemResponses,
          },
        },
      },
      async ({ body }, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await requireKeys().create(body, currentPrincipal())),
    );

    server.delete(
      '/keys/:id',
      {
        config: { access: 'admin' },
        schema: {
          tags,
          summary: 'Revoke a key that was created through the API; all replicas refuse it within seconds',
          params: z.object({ id: z.string() }),
          response: { 204: z.null().describe('Revoked.'), ...problemResponses },
        },
      },
      async ({ params }, reply) => {
        await requireKeys().revoke(params.id, currentPrincipal());
        return reply.code(204).send(null);
      },
    );

    function requireKeys(): Pick<ApiKeys, 'create' | 'revoke'> {
      if (keys !== undefined) return keys;
      const message =
        'this server works without keys, so a key would have no effect; set EMBEDMILL_API_KEYS_FILE to a file with an admin’s key (made by "embedmill keys create"), and restart';
      throw new EmbedmillError('forbidden', message);
    }
  };
}
