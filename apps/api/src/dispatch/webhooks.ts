import { createHmac } from 'node:crypto';
import { EmbedmillError, webhookKey, type JobState, type Webhook, type WebhookEvent } from '@embedmill/jobs';
import type { GuardedFetch, FetchCodes } from '@embedmill/fetching';
import type { IngestHandle, WebhookMessage, WebhookQueue } from '@embedmill/queue';

/** How long a delivery attempt may take. */
const TOTAL_SECONDS = 15;
const CODES: FetchCodes = {
  forbidden: 'webhook_refused',
  unreadable: 'webhook_refused',
  tooLarge: 'webhook_refused',
  unavailable: 'webhook_unavailable',
};

type Receiver = WebhookMessage['to'];

export interface WebhookSender {
  send: WebhookQueue['send'];
  /** The operator's receiver, which is notified of every job's end; none by default. */
  operator: Receiver | undefined;
}

/**
 * Notifies the receivers of a job's end. Called each time a dispatcher finds the job finished; nothing is sent twice.
 */
export async function tellEnd(handle: IngestHandle, sender: WebhookSender): Promise<void> {
  const { record, view } = handle;
  const type = endOf(record.state);
  if (type === undefined) return;
  if (record.webhook !== undefined) await sender.send(type, view, receiverOf(record.webhook), 'submitter');
  if (sender.operator !== undefined) await sender.send(type, view, sender.operator, 'operator');
}

function endOf(state: JobState): WebhookEvent | undefined {
  switch (state) {
    case 'completed':
    case 'failed':
    case 'cancelled':
      return `job.${state}`;
    case 'queued':
    case 'scanning':
    case 'running':
      return undefined;
  }
}

const receiverOf = ({ url, secret }: Webhook): Receiver => ({ url, secret });

/** Reports a running job's failures once they reach its webhook's threshold. Returns whether it did. */
export async function tellFailures(handle: IngestHandle, sender: WebhookSender): Promise<boolean> {
  const { webhook, progress } = handle.record;
  if (webhook?.failures === undefined) return false;
  if (!isCrossed(webhook.failures, progress)) return false;
  await sender.send('job.failures', handle.view, receiverOf(webhook), 'submitter');
  return true;
}

/** Whether at least `threshold` documents failed, or, below 1, that share of all. Pure. */
export function isCrossed(
  threshold: number,
  { failed, documents }: { failed: number; documents: number },
): boolean {
  if (failed === 0) return false;
  return threshold < 1 ? failed >= threshold * documents : failed >= threshold;
}

/**
 * Delivers one message: a POST of JSON, signed as Standard Webhooks say
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 *
 * Errors: `webhook_unavailable` (a status other than 2xx, or no response in time), which is retried; `webhook_refused` (the
 * address is not allowed, or the receiver responded with 410), which is not.
 */
export async function deliverWebhook(
  { id, type, timestamp, to, job }: WebhookMessage,
  fetching: Pick<GuardedFetch, 'post'>,
  signal: AbortSignal,
  now = Date.now(),
): Promise<void> {
  const body = JSON.stringify({ type, timestamp, data: job });
  const sentAt = String(Math.floor(now / 1000));
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': sentAt,
    'webhook-signature': signatureOf(to.secret, `${id}.${sentAt}.${body}`),
  };
  const { status } = await fetching.post(to.url, body, {
    codes: CODES,
    headers,
    totalSeconds: TOTAL_SECONDS,
    signal,
  });
  if (status >= 200 && status < 300) return;
  const code = status === 410 ? 'webhook_refused' : 'webhook_unavailable';
  throw new EmbedmillError(code, `the receiver responded with status ${status}`);
}

function signatureOf(secret: string, signed: string): string {
  return `v1,${createHmac('sha256', webhookKey(secret)).update(signed).digest('base64')}`;
}
