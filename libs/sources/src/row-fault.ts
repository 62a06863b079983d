import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * Why a row or a line of a source in another format is no document. It stands in the row's place among the lines that
 * the source becomes, so that it is the row's own failure, with its number, and its neighbours are read.
 */
export class RowFault {
  readonly code: RowFaultCode;
  readonly message: string;

  constructor(code: RowFaultCode, message: string) {
    this.code = code;
    this.message = message;
  }
}

/** Why a single value cannot be had, in the value's place; whoever wants the value makes it its row's fault. */
export class ValueFault extends Error {
  readonly code: RowFaultCode;

  constructor(message: string, code: RowFaultCode = 'malformed_row') {
    super(message);
    this.code = code;
  }

  /** As a map's key: what no document may have. */
  override toString(): string {
    return '\uDC80';
  }
}

/** Why a whole file among many cannot be read. */
export const fileFaultCodeSchema = z.enum([
  'source_unreadable',
  'source_forbidden',
  'source_changed',
  'payload_too_large',
  'invalid_request',
]);
/** Why a single document cannot be read. */
export const rowFaultCodeSchema = z.union([
  z.enum([
    'unsupported_document',
    'document_unreadable',
    'document_encrypted',
    'document_scanned',
    'parsing_limit',
    'empty_text',
  ]),
  z.enum(['malformed_row', 'invalid_utf8', 'line_too_long', 'invalid_document']),
  fileFaultCodeSchema,
]);
export type RowFaultCode = z.infer<typeof rowFaultCodeSchema>;

/** No document has such a field, and none that has it is valid. */
const FIELD = 'unreadable_row';
const faultSchema = z.strictObject({
  id: z.string().optional(),
  [FIELD]: z.strictObject({ code: rowFaultCodeSchema, message: z.string().max(2000) }),
});

/** `id`: of the document that cannot be read, where it is known. */
export function faultLine({ code, message }: RowFault, id?: string): string {
  return JSON.stringify({ id, [FIELD]: { code, message } });
}

/** The fault that a parsed line stands for; undefined for one that is a line of its own. */
export function faultOf(value: unknown): EmbedmillError | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, FIELD)) return undefined;
  const parsed = faultSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { code, message } = parsed.data[FIELD];
  return new EmbedmillError(code, message);
}
