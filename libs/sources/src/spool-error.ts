import { EmbedmillError } from '@embedmill/jobs';

/** The code of a failed system call. */
export function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string';
}

/** Why a file of the spool cannot be used. The fault may be temporary, so the caller retries. */
export function spoolUnavailable(does: 'write' | 'read', where: string, error: unknown): EmbedmillError {
  const isFull = isSystemError(error) && error.code === 'ENOSPC';
  const message = `cannot ${does} ${where}: ${isFull ? 'the disk is full: free space' : String(error)}`;
  return new EmbedmillError('spool_unavailable', message, { cause: error, retryAfter: 10 });
}
