import { isUtf8 } from 'node:buffer';
import {
  DEFAULT_TENANT,
  EmbedmillError,
  ERRORS,
  parseDocument,
  parseJson,
  type Document,
  type DocumentId,
  type DocumentLimits,
  type DocumentReport,
  type DocumentScope,
  type Profile,
  type TenantId,
  type Tombstone,
} from '@embedmill/jobs';
import { excessIn } from './line-bounds.ts';
import { MAX_LINE_BYTES, type Line } from './lines.ts';
import { faultOf } from './row-fault.ts';

/** The limits for reports, because the fault may be the id itself, and messages quote the line. */
const MOST_ID_CHARACTERS = 512;
const MOST_MESSAGE_CHARACTERS = 500;

export type DocumentLine =
  | { kind: 'document'; line: Line; document: Document }
  | { kind: 'tombstone'; line: Line; tombstone: Tombstone }
  /** Its key identifies the intended document, if that is known. */
  | { kind: 'invalid'; line: Line; report: DocumentReport; key: DocumentKey | undefined };

export type DocumentKey = Pick<Document, 'tenant' | 'id'>;

/**
 * Parses a line to a document of a collection with this profile, to a tombstone, or to a report that says why it is
 * neither.
 *
 * @param job what it states for documents that do not state it themselves
 */
export function readDocumentLine(
  line: Line,
  profile: Pick<Profile, 'filterable'>,
  job: DocumentScope = {},
  limits?: DocumentLimits,
): DocumentLine {
  const refuse = (error: EmbedmillError, id: string | null, key?: DocumentKey): DocumentLine => ({
    kind: 'invalid',
    line,
    report: reportOf(line, id, error),
    key,
  });
  if (line.bytes === null) {
    const message = `the line has ${line.length} bytes, but at most ${MAX_LINE_BYTES} are allowed; split the document`;
    return refuse(new EmbedmillError('line_too_long', message), null);
  }
  if (!isUtf8(line.bytes)) {
    return refuse(
      new EmbedmillError(
        'invalid_utf8',
        'the line is not valid UTF-8; set its encoding, or re-encode the file',
      ),
      null,
    );
  }
  const excess = excessIn(line.bytes);
  if (excess !== undefined) return refuse(new EmbedmillError('invalid_document', excess), null);
  let value: unknown;
  try {
    value = parseJson(line.bytes.toString('utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message.slice(0, 300) : 'not JSON';
    return refuse(new EmbedmillError('malformed_json', `not valid JSON: ${reason}`), null);
  }
  const parsed = parseDocument(value, profile, job, limits);
  if (!parsed.ok) {
    const { id } = parsed;
    const key = id === undefined ? undefined : { id: id as DocumentId, tenant: tenantOf(value, job) };
    return refuse(faultOf(value) ?? parsed.error, id ?? null, key);
  }
  if ('tombstone' in parsed) return { kind: 'tombstone', line, tombstone: parsed.tombstone };
  return { kind: 'document', line, document: parsed.document };
}

/** The tenant that a value names. */
function tenantOf(value: unknown, { tenant }: DocumentScope): TenantId {
  const named = (value as { tenant?: unknown }).tenant;
  return typeof named === 'string' ? (named as TenantId) : (tenant ?? DEFAULT_TENANT);
}

/** The entry in the job's failures or warnings for the document on this line. */
export function reportOf(
  line: Pick<Line, 'number' | 'offset' | 'length'>,
  id: string | null,
  error: Pick<EmbedmillError, 'code' | 'message'>,
): DocumentReport {
  return {
    line: line.number,
    id: id === null ? null : id.slice(0, MOST_ID_CHARACTERS),
    code: error.code,
    message: error.message.slice(0, MOST_MESSAGE_CHARACTERS),
    retryable: ERRORS[error.code].retryable,
    offset: line.offset,
    length: line.length,
  };
}
