import { z } from 'zod';

/** What a webhook reports of a job: how it ended, or that it has too many failures while it runs. */
export const webhookEventSchema = z.enum(['job.completed', 'job.failed', 'job.cancelled', 'job.failures']);
export type WebhookEvent = z.infer<typeof webhookEventSchema>;

/** A signing secret as Standard Webhooks writes it: `whsec_` and 24 to 64 bytes in base64. */
export const webhookSecretSchema = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'must be whsec_ and base64')
  .refine((secret) => {
    const { length } = webhookKey(secret);
    return length >= 24 && length <= 64;
  }, 'must have 24 to 64 bytes: "whsec_$(openssl rand -base64 32)"');

/** The bytes of a signing secret. */
export function webhookKey(secret: string): Buffer {
  return Buffer.from(secret.slice('whsec_'.length), 'base64');
}

/** The receiver that is told of a job's end. */
export const webhookSchema = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
    .max(2048)
    .meta({ description: 'The address that receives the POST. Addresses that are not public are refused.' }),
  secret: webhookSecretSchema.meta({
    description: 'The secret that signs messages (Standard Webhooks); never shown again.',
  }),
  failures: z
    .number()
    .positive()
    .refine((value) => value < 1 || Number.isInteger(value), 'must be a whole number, or a share below 1')
    .optional()
    .meta({
      description:
        'Also send a message, once, when this many documents have failed while the job runs; a value below 1 is a share of all documents.',
    }),
});
export type Webhook = z.infer<typeof webhookSchema>;

/** One message and its outcome. */
export const webhookDeliverySchema = z
  .strictObject({
    id: z.string().meta({ description: 'The `webhook-id`, the same on each attempt.' }),
    type: webhookEventSchema,
    url: z.string(),
    state: z.enum(['waiting', 'delivered', 'failed']),
    tries: z.int().nonnegative(),
    lastError: z.string().nullable(),
    nextTryAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'WebhookDelivery' });
export type WebhookDelivery = z.infer<typeof webhookDeliverySchema>;
