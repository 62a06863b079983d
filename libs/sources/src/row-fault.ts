import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';

/**
 * Why a row or a line of a source in another format is not a document. It takes the row's place among the converted
 * lines, so that it becomes the row's own failure with its number, and the other rows are still read.
 */
export class RowFault {
  readonly code: RowFaultCode;
  readonly message: string;

  constructor(code: RowFaultCode, message: string) {
    this.code = code;
    this.message = message;
  }
}

/**
 * Takes the place of a value that cannot be read, with the reason. If the value is needed, it becomes its row's fault.
 */
export class ValueFault extends Error {
  readonly code: RowFaultCode;

  constructor(message: string, code: RowFaultCode = 'malformed_row') {
    super(message);
    this.code = code;
  }

  /** As a map's key, which no document may have. */
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

/** The field that marks a fault; a document with this field is invalid. */
const FIELD = 'unreadable_row';
const faultSchema = z.strictObject({
  id: z.string().optional(),
  [FIELD]: z.strictObject({ code: rowFaultCodeSchema, message: z.string().max(2000) }),
});

/** `id`: that of the unreadable document, if known. */
export function faultLine({ code, message }: RowFault, id?: string): string {
  return JSON.stringify({ id, [FIELD]: { code, message } });
}

/** The fault that a parsed line represents; undefined for an ordinary line. */
export function faultOf(value: unknown): EmbedmillError | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, FIELD)) return undefined;
  const parsed = faultSchema.safeParse(value);
  if (!parsed.success) return undefined;
  const { code, message } = parsed.data[FIELD];
  return new EmbedmillError(code, message);
}
