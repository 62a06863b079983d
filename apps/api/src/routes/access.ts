import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { apiKeyEntrySchema, scopeSchema, tenantSchema } from '@embedmill/jobs';
import type { ApiKeys } from '../access/api-keys.ts';
import type { AccessOptions } from '../access/authorize.ts';
import { currentPrincipal, EVERYONE } from '../access/principal.ts';
import { problemResponses } from '../problem.ts';

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
    tenant: tenantSchema.nullable().meta({ description: 'The only tenant that it sees; null: all.' }),
    collections: z
      .array(z.string())
      .nullable()
      .meta({ description: 'The only collections that it sees; null: all.' }),
  })
  .meta({ id: 'Principal' });
const { name, id, scopes, tenant, collections, requestsPerSecond, concurrency, expires } =
  apiKeyEntrySchema.shape;
const keySchema = z
  .strictObject({
    name,
    id,
    scopes,
    tenant,
    collections,
    requestsPerSecond,
    concurrency,
    expires,
    expired: z.boolean().meta({ description: 'Whether it is taken no more.' }),
  })
  .meta({ id: 'Key' });

/** Who may ask, how they sign in, and who asks now. */
export function accessRoutes(
  { keysFile, oidc }: AccessOptions,
  keys: Pick<ApiKeys, 'list'> | undefined,
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
        keys: keysFile !== undefined,
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
            'Keys are made and withdrawn in the keys file, by `embedmill keys create` or by hand, and followed as it changes: the server itself does not write it.',
          response: { 200: z.strictObject({ keys: z.array(keySchema) }), ...problemResponses },
        },
      },
      async () => ({ keys: keys?.list() ?? [] }),
    );
  };
}
