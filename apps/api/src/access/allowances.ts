import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { z } from 'zod';
import { EmbedmillError } from '@embedmill/jobs';
import type { Log } from '@embedmill/logs';

const allowanceSchema = z.strictObject({
  weight: z.number().min(0.01).max(100).optional().meta({
    description: 'The weight of its share of the queue relative to others; 1 by default.',
  }),
  documentsPerDay: z.int().positive().optional(),
  tokensPerDay: z.int().positive().optional(),
});
export type Allowance = z.infer<typeof allowanceSchema>;

const allowancesSchema = z.strictObject({
  tenants: z.record(z.string(), allowanceSchema).default({}),
  keys: z.record(z.string(), allowanceSchema).default({}),
  others: z
    .strictObject({ tenants: allowanceSchema.default({}), keys: allowanceSchema.default({}) })
    .default({ tenants: {}, keys: {} })
    .meta({ description: 'The allowance of each tenant and each key that is not listed.' }),
});
type AllowanceFile = z.infer<typeof allowancesSchema>;

const NOTHING_SET: AllowanceFile = { tenants: {}, keys: {}, others: { tenants: {}, keys: {} } };

/** As of the keys file. */
const LOOK_MS = 2000;

/**
 * The allowances of tenants and keys, from a file that is watched until `close`. An invalid version is logged and the
 * previous one stays in effect; at startup it is an error.
 */
export class Allowances {
  #file: AllowanceFile = NOTHING_SET;
  readonly #path: string | undefined;
  readonly #log: Pick<Log, 'info' | 'error'>;
  readonly #look = () => this.#reread();

  /** Without a path nothing is limited, and all weights are equal. Errors: `invalid_config`. */
  constructor(path: string | undefined, log: Pick<Log, 'info' | 'error'>, lookMs = LOOK_MS) {
    this.#path = path;
    this.#log = log;
    if (path === undefined) return;
    this.#file = readAllowances(path);
    watchFile(path, { interval: lookMs, persistent: false }, this.#look);
  }

  ofTenant(tenant: string): Allowance {
    return own(this.#file.tenants, tenant) ?? this.#file.others.tenants;
  }

  ofKey(key: string): Allowance {
    return own(this.#file.keys, key) ?? this.#file.others.keys;
  }

  /** The weight of a share, by the dispatcher's names: `tenant:NAME`, `key:NAME`, or '' for neither. */
  weightOf(share: string): number {
    const [kind = '', ...name] = share.split(':');
    const of =
      kind === 'tenant' ? this.ofTenant(name.join(':')) : kind === 'key' ? this.ofKey(name.join(':')) : {};
    return of.weight ?? 1;
  }

  close(): void {
    if (this.#path !== undefined) unwatchFile(this.#path, this.#look);
  }

  #reread(): void {
    try {
      if (this.#path !== undefined) this.#file = readAllowances(this.#path);
      this.#log.info({}, 'reloaded the allowances file');
    } catch (error) {
      this.#log.error({ err: error }, 'the allowances file cannot be used; keeping the previous allowances');
    }
  }
}

/** Guards against names that every object has as properties. */
function own(of: Record<string, Allowance>, name: string): Allowance | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined;
}

function readAllowances(path: string): AllowanceFile {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw unusable(path, error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message, error);
  }
  const parsed = allowancesSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const found = parsed.error.issues.map(({ path: at, message }) => `${at.map(String).join('/')}: ${message}`);
  throw unusable(path, found.join('; '));
}

function unusable(path: string, why: string, cause?: unknown): EmbedmillError {
  const message =
    `EMBEDMILL_API_ALLOWANCES_FILE: ${path} cannot be used: ${why}; ` +
    'expected {"tenants": {"NAME": {"weight", "documentsPerDay", "tokensPerDay"}}, "keys": {…}, "others": {"tenants": {…}, "keys": {…}}}';
  return new EmbedmillError('invalid_config', message, { cause });
}
