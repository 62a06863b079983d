import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { EmbedmillError, readKept } from '@embedmill/jobs';
import type { Broker } from './broker.ts';
import { answered } from './connection.ts';
import { troubleKey } from './names.ts';

/** How long a query waits if workers reported that they cannot load its model, because another may have it and answer. */
const TROUBLED_QUERY_MS = 2000;
/** How often to check for such reports. */
const LOOK_MS = 500;

export const troubleSchema = z.strictObject({ code: z.string(), message: z.string() });
export type Trouble = z.infer<typeof troubleSchema>;

/** Why workers cannot load models, as they report. */
export class ModelTrouble {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** The latest recent report that this release understands. */
  async of(model: string): Promise<Trouble | null> {
    const trouble = await answered(this.#broker.get(troubleKey(model)));
    return trouble === null ? null : (readKept(troubleSchema, JSON.parse(trouble)).data ?? null);
  }

  /** Rejects with the reported error some time after the first report; never, once `signal` is aborted. Errors: `model_unavailable`. */
  async ends(model: string, signal: AbortSignal): Promise<never> {
    try {
      for (;;) {
        if ((await this.of(model).catch(() => null)) !== null) {
          await pause(TROUBLED_QUERY_MS, undefined, { signal });
          const trouble = await this.of(model).catch(() => null);
          if (trouble !== null) throw unavailable(trouble);
        }
        await pause(LOOK_MS, undefined, { signal });
      }
    } catch (error) {
      if (error instanceof EmbedmillError) throw error;
      return new Promise<never>(() => undefined);
    }
  }
}

export const unavailable = ({ message }: Trouble, cause?: unknown): EmbedmillError =>
  new EmbedmillError('model_unavailable', message, { cause, retryAfter: 30 });
