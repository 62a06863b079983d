import { createLog } from '@embedmill/logs';
import { createMetrics } from '@embedmill/metrics';
import { buildServer } from '../server.ts';

/** What routes would work with; none is called. */
const NONE = {} as never;

/**
 * The API's description, as `/openapi.json` answers it, made without a queue, a store or a port. Clients are generated
 * from it.
 */
export async function openApiDocument(): Promise<object> {
  const server = await buildServer({
    queue: NONE,
    spool: NONE,
    store: NONE,
    threads: NONE,
    webhooks: NONE,
    openUrl: NONE,
    models: async () => [],
    metrics: createMetrics('api'),
    config: {
      sourceFolder: undefined,
      s3Sources: [],
      s3Targets: [],
      maxUploadBytes: 0,
      queryTimeoutMs: 0,
    },
    log: createLog({ app: 'api', level: 'silent' }),
  });
  try {
    await server.ready();
    return server.swagger();
  } finally {
    await server.close();
  }
}
