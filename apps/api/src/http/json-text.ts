import { isUtf8 } from 'node:buffer';
import { EmbedmillError } from '@embedmill/jobs';

/** A body's text. Errors: `invalid_utf8`. */
export function textOfBody(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) {
    const message = 'the body is not valid UTF-8, which JSON requires; re-encode it';
    throw new EmbedmillError('invalid_utf8', message);
  }
  return new TextDecoder().decode(bytes);
}
