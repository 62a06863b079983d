import { randomBytes } from 'node:crypto';
import { joinDatasetParts, type Part } from '@embedmill/outputs';
import type { IngestHandle } from '@embedmill/queue';
import type { Spool } from '@embedmill/sources';
import { partAt } from '../dispatch/export-output.ts';
import { outputDatasetOf, type Dataset } from './dataset-records.ts';

const SECRET_BYTES = 24;

/**
 * Joins the parts of an embed job's shards into its output dataset, once all of them are counted. If the dispatcher is
 * killed, the next one writes it again under the same id. Called by the dispatcher.
 */
export async function joinDataset({ id, record }: IngestHandle, { spool }: { spool: Spool }): Promise<void> {
  const { dataset, tenant, progress } = record;
  if (dataset === undefined) return;
  const output = outputDatasetOf(id);
  const made: Dataset = {
    type: 'embed-result',
    id: output,
    name: dataset.name ?? output,
    ...(tenant !== undefined && { tenant }),
    createdAt: Date.now(),
    rows: progress.stored,
    source: await spool.datasets.write(output, joinDatasetParts({ job: id, dataset }, partsOf())),
    fields: dataset.fields,
    secret: randomBytes(SECRET_BYTES).toString('base64url'),
  };
  await spool.datasets.keep(output, made);

  async function* partsOf(): AsyncGenerator<Part> {
    for await (const { source } of spool.parts(id)) yield partAt(source, spool);
  }
}
