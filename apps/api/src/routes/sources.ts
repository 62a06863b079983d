import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  EmbedmillError,
  watchedNameSchema,
  tenantSchema,
  watchedSourceSchema,
  watchedSourceViewSchema,
  type TenantId,
  type WatchedSourceView,
} from '@embedmill/jobs';
import { currentPrincipal } from '../access/principal.ts';
import { requireCollection } from '../collections/collection.ts';
import type { ApiParts } from '../parts.ts';
import { problemResponses } from '../http/problem.ts';
import { assertSchedule } from '../sources/schedule.ts';
import type { SourceWatching } from '../sources/source-watching.ts';
import { snapshotOf } from '../ingest/submission-body.ts';
import {
  keptRunsSchema,
  keptSourceSchema,
  ownerOf,
  sourceKey,
  tenantAsked,
  viewOf,
  type KeptSource,
  type KeysByName,
} from '../sources/watched-source.ts';

const tags = ['sources'];
const view = watchedSourceViewSchema.meta({ id: 'Source' });
const inCollection = z.object({ name: z.string() });
const one = z.object({ name: z.string(), id: z.string().meta({ description: 'The source’s name.' }) });
const querystring = z.strictObject({
  tenant: tenantSchema.optional().meta({
    description: 'The owning tenant, shown to keys that are not bound to a tenant.',
  }),
});
/** Of all tenants together, as each source is checked repeatedly. */
const MOST_SOURCES = 1000;

/** Watched sources: files on the server that are checked on a schedule and submitted when they have changed. */
export function sourceRoutes(
  { spool, store }: ApiParts,
  watching: Pick<SourceWatching, 'tick'>,
  keys: KeysByName,
  log: ApiParts['log'],
): FastifyPluginAsyncZod {
  return async (server) => {
    server.put(
      '/collections/:name/sources/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary:
            'Watch a source on the server, or change its settings; a source with an interval is checked immediately',
          params: one.extend({ id: watchedNameSchema }),
          querystring,
          body: watchedSourceSchema,
          response: { 200: view, ...problemResponses },
        },
      },
      async ({ params, query, body: source }) => {
        await requireCollection(store, params.name);
        assertSchedule(source.schedule);
        snapshotOf(source);
        const tenant = tenantAsked(query.tenant);
        const key = sourceKey(params.name, params.id, tenant);
        const isNew = (await spool.readWatch('source', key)) === undefined;
        if (isNew && (await spool.watches()).length >= MOST_SOURCES)
          throw new EmbedmillError(
            'overloaded',
            `there are already ${MOST_SOURCES} watched sources; remove one first`,
          );
        const kept: KeptSource = {
          name: params.id,
          collection: params.name,
          tenant,
          owner: ownerOf(currentPrincipal(), keys),
          createdAt: Date.now(),
          source,
        };
        await spool.keepWatch('source', key, kept);
        look();
        return viewOf(kept, await runsOf(key));
      },
    );

    server.get(
      '/collections/:name/sources',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'List the watched sources of a collection',
          params: inCollection,
          response: { 200: z.strictObject({ sources: z.array(view) }), ...problemResponses },
        },
      },
      async ({ params }) => {
        await requireCollection(store, params.name);
        const sources: WatchedSourceView[] = [];
        for (const key of await spool.watches()) {
          const kept = await keptOf(key);
          if (kept?.collection === params.name) sources.push(viewOf(kept, await runsOf(key)));
        }
        return { sources: sources.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
      },
    );

    server.get(
      '/collections/:name/sources/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Get a watched source and its latest runs',
          params: one,
          querystring,
          response: { 200: view, ...problemResponses },
        },
      },
      async ({ params, query }) => {
        const { key, kept } = await required(params, query.tenant);
        return viewOf(kept, await runsOf(key));
      },
    );

    server.delete(
      '/collections/:name/sources/:id',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Stop watching a source; its stored documents are kept',
          params: one,
          querystring,
          response: { 204: z.null().describe('Removed.'), ...problemResponses },
        },
      },
      async ({ params, query }, reply) => {
        const { key } = await required(params, query.tenant);
        await spool.removeWatch(key);
        return reply.code(204).send(null);
      },
    );

    server.post(
      '/collections/:name/sources/:id/run',
      {
        config: { access: 'submit' },
        schema: {
          tags,
          summary: 'Check a watched source now',
          params: one,
          querystring,
          response: { 202: view, ...problemResponses },
        },
      },
      async ({ params, query }, reply) => {
        const { key, kept } = await required(params, query.tenant);
        const asked = { ...kept, askedAt: Date.now() };
        await spool.keepWatch('source', key, asked);
        look();
        return reply.code(202).send(viewOf(asked, await runsOf(key)));
      },
    );

    /** Not awaited, as a check may take minutes. If it fails, the next tick tries again. */
    function look(): void {
      void watching
        .tick()
        .catch((error: unknown) => log.warn({ err: error }, 'cannot check watched sources'));
    }

    async function keptOf(key: string): Promise<KeptSource | undefined> {
      const kept = await spool.readWatch('source', key);
      return kept === undefined ? undefined : keptSourceSchema.parse(kept);
    }

    async function runsOf(key: string) {
      const kept = await spool.readWatch('runs', key);
      return kept === undefined ? undefined : keptRunsSchema.parse(kept);
    }

    async function required(
      { name, id }: z.output<typeof one>,
      asked: TenantId | undefined,
    ): Promise<{ key: string; kept: KeptSource }> {
      await requireCollection(store, name);
      const key = sourceKey(name, id, tenantAsked(asked));
      const kept = await keptOf(key);
      if (kept !== undefined) return { key, kept };
      const message = `the collection ${name} has no source ${JSON.stringify(id)}`;
      throw new EmbedmillError('source_not_found', message);
    }
  };
}
