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
    keys: z.boolean().meta({ description: 'Whether keys are taken.' }),
    oidc: z
      .strictObject({
        issuer: z.string().meta({ description: 'Below it is `/.well-known/openid-configuration`.' }),
        audience: z.string().meta({ description: 'Whom tokens have to be for.' }),
        clientId: z.string().nullable().meta({
          description:
            'As whom a page asks for tokens, by an authorization code with PKCE; null: no page can, until one is set.',
        }),
        scopes: z.array(z.string()).meta({ description: 'What it asks for.' }),
      })
      .nullable()
      .meta({ description: 'Whose tokens are taken; null: of nobody.' }),
  })
  .meta({ id: 'SignIn' });
const principalSchema = z
  .strictObject({
    name: z.string().meta({ description: 'Of the key, or whose token it is.' }),
    everyone: z.boolean().meta({ description: 'Whether nobody is asked for a key here.' }),
    scopes: z.array(scopeSchema),
    tenant: z.string().nullable().meta({ description: 'The only tenant that it sees; null: all.' }),
    collections: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The only collections that it sees; null: all.' }),
  })
  .meta({ id: 'Principal' });
const { name, id, scopes, collections, requestsPerSecond, concurrency, expires } = apiKeyEntrySchema.shape;
const keySchema = z
  .strictObject({
    name,
    id,
    scopes,
    tenant: z.string().optional().meta({ description: 'The only tenant that it sees; all by default.' }),
    collections,
    requestsPerSecond,
    concurrency,
    expires,
    expired: z.boolean().meta({ description: 'Whether it is taken no more.' }),
    keptIn: z
      .enum(['file', 'queue'])
      .meta({ description: 'Whether it is of the keys file, or was made here and can be revoked here.' }),
  })
  .meta({ id: 'Key' });

/** Who may ask, how they sign in, and who asks now. */
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
          summary: 'The keys there are, by name; never what they are made of',
          description:
            'Those of the keys file, which the server itself does not write, and those that were made here.',
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
          summary: 'Make a key; it is shown this once',
          description:
            'What is kept of it is a hash, where every replica reads it. Who is bound to a tenant or to collections makes keys of those alone.',
          body: wantedKeySchema,
          response: {
            201: z.strictObject({
              key: z.string().meta({ description: 'To be sent as `Authorization: Bearer`.' }),
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
          summary: 'Revoke a key that was made here; replicas refuse it within seconds',
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
        'nobody is asked for a key here, so a key would keep nobody out; set EMBEDMILL_API_KEYS_FILE to a file with an admin’s key, which "embedmill keys create" makes, and start again';
      throw new EmbedmillError('forbidden', message);
    }
  };
}
