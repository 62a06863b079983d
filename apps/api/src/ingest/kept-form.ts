import { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { EmbedmillError, type StoredSource } from '@embedmill/jobs';
import { FileForm } from './file-form.ts';
import type { ClientRecords } from '../batches/client-records.ts';
import { boundedBytes, FORM_TYPE } from './upload.ts';

/** A form with a file to be stored as a client's record. */
export interface KeptForm {
  id: string;
  /** A description of its content, for error messages. */
  what: string;
  /** The names of its parts. */
  parts: ConstructorParameters<typeof FileForm>[1];
  maxBytes: number;
}

/**
 * Receives a form's file and creates its record; leaves nothing behind on failure. Errors: `unsupported_media_type`,
 * those of the form and of `keep`, `payload_too_large`.
 */
export async function keepForm<T>(
  request: Pick<FastifyRequest, 'body'>,
  records: Pick<ClientRecords, 'write' | 'remove'>,
  { id, what, parts, maxBytes }: KeptForm,
  keep: (received: FileForm, source: StoredSource) => Promise<T>,
): Promise<T> {
  const body: unknown = request.body;
  if (!(body instanceof IncomingMessage))
    throw new EmbedmillError('unsupported_media_type', `send the ${what} as ${FORM_TYPE}`);
  const received = new FileForm(body, parts);
  const source = await records.write(id, boundedBytes(received.packed(), maxBytes));
  try {
    return await keep(received, source);
  } catch (error) {
    await records.remove(id);
    throw error;
  }
}
