import type { DocumentReport } from '../../server/shapes.ts';
import type { Word } from '../../words/words.ts';

type Code = DocumentReport['code'];

/** The advice for each reason that lies in the document itself. Other reasons are advised by their `retryable`. */
const TODO = {
  malformed_json: 'todo.line',
  malformed_row: 'todo.line',
  line_too_long: 'todo.line',
  invalid_document: 'todo.line',
  forbidden_key: 'todo.line',
  invalid_utf8: 'todo.encoding',
  invalid_unicode: 'todo.encoding',
  missing_id: 'todo.id',
  missing_text: 'todo.text',
  empty_text: 'todo.text',
  word_too_long: 'todo.shorten',
  document_too_large: 'todo.shorten',
  metadata_too_large: 'todo.shorten',
  parsing_limit: 'todo.shorten',
  metadata_type: 'todo.type',
  foreign_tenant: 'todo.foreign',
  foreign_source: 'todo.foreign',
  unsupported_document: 'todo.convert',
  document_unreadable: 'todo.damaged',
  document_encrypted: 'todo.password',
  document_scanned: 'todo.recognize',
  invalid_vector: 'todo.vector',
  dimension_mismatch: 'todo.vector',
  unknown_text: 'todo.model',
  image_unreadable: 'todo.damaged',
  image_too_large: 'todo.shorten',
  image_forbidden: 'todo.allow',
  video_unsupported: 'todo.ffmpeg',
  video_unreadable: 'todo.damaged',
  duplicate_id: 'todo.duplicate',
  text_incomplete: 'todo.again',
  text_truncated: 'todo.chunks',
} as const satisfies Partial<Record<Code, Word>>;

/** What to do about documents that failed, or got a warning, for this reason. */
export function whatToDo(code: string, retryable: boolean): Word {
  if (Object.hasOwn(TODO, code)) return TODO[code as keyof typeof TODO];
  return retryable ? 'todo.retry' : 'todo.mend';
}
