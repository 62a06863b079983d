import { DEFAULT_TENANT, type DocumentId, type JobId } from '@embedmill/jobs';
import type { PointPayload } from '@embedmill/vector-store';

/** For tests: the payload of a document's only chunk, as a worker stores it, with these changes. */
export function storedPayload(
  document_id: DocumentId,
  text: string,
  others: Partial<PointPayload> = {},
): PointPayload {
  const { start = 0 } = others;
  return {
    document_id,
    tenant: DEFAULT_TENANT,
    chunk_index: 0,
    chunk_count: 1,
    text,
    start,
    end: start + text.length,
    title: null,
    image: null,
    timestamp: null,
    fingerprint: 'f',
    metadata: {},
    job_id: 'job_1' as JobId,
    sequence: 1,
    ...others,
  };
}
