import { z } from 'zod';

/** A query parameter that contains JSON. */
export const jsonParameter = (example: string) =>
  z
    .string()
    .optional()
    .transform((text, context) => {
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text, (_key, value: unknown) => value ?? undefined) as unknown;
      } catch {
        context.addIssue({ code: 'custom', message: `must be a JSON object, such as ${example}` });
        return z.NEVER;
      }
    });
