import {
  apiKeyEntrySchema,
  collectionSchema,
  jobLogLineSchema,
  shardRangeSchema,
  shardResultSchema,
  shardSchema,
  workerNoteSchema,
} from '@embedmill/jobs';
import type { z } from 'zod';
import {
  batchRecordSchema,
  clientFileSchema,
  clientUploadSchema,
} from '../../apps/api/src/batches/client-records.ts';
import { datasetSchema } from '../../apps/api/src/datasets/dataset-records.ts';
import { rangeTombstoneSchema } from '../../apps/api/src/deletions/range-tombstones.ts';
import { keptStateSchema } from '../../apps/api/src/map/collection-map.ts';
import {
  keptMarksSchema,
  keptRunsSchema,
  keptSourceSchema,
} from '../../apps/api/src/sources/watched-source.ts';
import { recordSchema } from '../../libs/queue/src/ingest-record.ts';
import { troubleSchema } from '../../libs/queue/src/model-trouble.ts';
import { ledgerSchema } from '../../libs/queue/src/room-ledger.ts';
import { webhookMessageSchema } from '../../libs/queue/src/webhook-queue.ts';
import { fileLinesSchema } from '../../libs/sources/src/file-lines.ts';
import { listedFileSchema } from '../../libs/sources/src/file-list.ts';
import { markSchema } from '../../libs/vector-store/src/qdrant/qdrant-loads.ts';
import { aliasesSchema } from '../../libs/vector-store/src/zvec/aliases.ts';
import { definitionFileSchema } from '../../libs/vector-store/src/zvec/collection-folder.ts';

/** The schema that reads each kind of record. */
export const READERS: Readonly<Record<string, z.ZodType>> = {
  collection: collectionSchema,
  ingest: recordSchema,
  unfinished: recordSchema,
  finished: recordSchema,
  shards: shardSchema,
  results: shardResultSchema,
  range: shardRangeSchema,
  'file-lines': fileLinesSchema,
  'log-line': jobLogLineSchema,
  worker: workerNoteSchema,
  room: ledgerSchema,
  watched: keptSourceSchema,
  'watched-runs': keptRunsSchema,
  'watched-marks': keptMarksSchema,
  'client-file': clientFileSchema,
  upload: clientUploadSchema,
  batch: batchRecordSchema,
  dataset: datasetSchema,
  'map-state': keptStateSchema,
  'range-tombstone': rangeTombstoneSchema,
  'api-key': apiKeyEntrySchema,
  'listed-file': listedFileSchema,
  'load-mark': markSchema,
  webhook: webhookMessageSchema,
  trouble: troubleSchema,
  definition: definitionFileSchema,
  aliases: aliasesSchema,
};
