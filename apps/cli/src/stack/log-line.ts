import { z } from 'zod';

const entrySchema = z.object({
  level: z.number(),
  msg: z.string().optional(),
  err: z.object({ message: z.string() }).optional(),
});

const WARNING = 40;

/**
 * What a line that a process wrote says to a person, and whether it is a warning. The apps log JSON lines with a
 * numeric `level` and `msg` (and `err`) to standard output; whatever else comes by standard error is a warning.
 */
export function readLogLine(line: string, stream: 'stdout' | 'stderr'): { text: string; warning: boolean } {
  const entry = entrySchema.safeParse(parseJson(line)).data;
  if (entry === undefined) return { text: line, warning: stream === 'stderr' };
  const { level, msg, err } = entry;
  const reason = err === undefined || err.message === msg ? undefined : err.message;
  return { text: [msg, reason].filter((part) => part !== undefined).join(': '), warning: level >= WARNING };
}

function parseJson(line: string): unknown {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
