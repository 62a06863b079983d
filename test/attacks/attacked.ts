import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { newApiKey, type Job } from '@embedmill/jobs';
import { Embedmill, ndjson } from '../embedmill.ts';

export type Who = 'attacker' | 'victim' | 'operator';

export interface Route {
  method: string;
  path: string;
}

/** One way in which a tenant may try to deny the server to others. */
export interface Attack {
  name: string;
  /** Resolves with the attacker's answers, counted by status. */
  run(on: Attacked): Promise<Record<string, number>>;
}

/** The target of the attacks: a whole `embedmill up` with the ordinary keys of two tenants and the operator's key. */
export class Attacked {
  readonly mill: Embedmill;
  readonly url: string;
  readonly apiPid: number;
  readonly collection = 'docs';
  readonly #keys: Record<Who, string>;
  readonly #folder: string;

  private constructor(
    mill: Embedmill,
    state: { url: string; apiPid: number },
    keys: Record<Who, string>,
    folder: string,
  ) {
    this.mill = mill;
    this.url = state.url;
    this.apiPid = state.apiPid;
    this.#keys = keys;
    this.#folder = folder;
  }

  static async up(options: Parameters<typeof Embedmill.up>[0] = {}): Promise<Attacked> {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-attacked-'));
    const { keys, file } = keysOf();
    const path = join(folder, 'keys.json');
    await writeFile(path, file);
    const env = {
      ...options.env,
      EMBEDMILL_API_KEYS_FILE: path,
      LOOP_PROBE: join(folder, 'loop'),
      NODE_OPTIONS: `--import=${new URL('./loop-probe.ts', import.meta.url).href}`,
    };
    const mill = await Embedmill.up({ ...options, env });
    const { url, processes } = await mill.state();
    const attacked = new Attacked(mill, { url, apiPid: processes.api }, keys, folder);
    try {
      await attacked.#prepare();
      return attacked;
    } catch (error) {
      await attacked.stop();
      throw error;
    }
  }

  call(who: Who, method: string, path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { ...this.authorization(who), ...(init.headers as Record<string, string> | undefined) };
    // An attack's path may begin with two slashes, which must not be parsed as a host.
    return fetch(`${this.url}${path}`, { ...init, method, headers });
  }

  json(who: Who, method: string, path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    return this.call(who, method, path, {
      ...init,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
  }

  authorization(who: Who): { authorization: string } {
    return { authorization: `Bearer ${this.#keys[who]}` };
  }

  /** All routes that the server registers and describes, and the description itself. */
  async routes(): Promise<Route[]> {
    const description = (await (await this.call('operator', 'GET', '/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const described = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
    );
    return [...described, { method: 'GET', path: '/openapi.json' }];
  }

  /** The API's peak memory in megabytes since `forgetPeak`. */
  async peakMB(): Promise<number> {
    const status = await readFile(`/proc/${this.apiPid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;
  }

  /** The longest turn of the API's event loop since then, in milliseconds of CPU time; 0 if all were short. */
  async longestStretchMs(since: number): Promise<number> {
    const lines = await readFile(join(this.#folder, 'loop'), 'utf8').catch(() => '');
    const stretches = lines.split('\n').map((line) => line.split(' ').map(Number));
    return Math.max(0, ...stretches.flatMap(([at = 0, ms = 0]) => (at >= since ? [ms] : [])));
  }

  async forgetPeak(): Promise<void> {
    await writeFile(`/proc/${this.apiPid}/clear_refs`, '5').catch(() => undefined);
  }

  async stop(): Promise<void> {
    await this.mill.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #prepare(): Promise<void> {
    const profile = { sparse: { bm25: {} } };
    const created = await this.json('operator', 'POST', '/api/v1/collections', {
      name: this.collection,
      profile,
    });
    if (!created.ok) throw new Error(await created.text());
    for (const who of ['attacker', 'victim'] as const) {
      const documents = Array.from({ length: 1000 }, (_, n) => ({
        id: `${who}-${n}`,
        text: `Document ${n}: a river, bread, a bridge, song ${n % 13} and the light of winter ${n % 7}.`,
      }));
      const job = (await (
        await this.call(who, 'POST', `/api/v1/collections/${this.collection}/jobs`, {
          body: ndjson(documents),
          headers: { 'content-type': 'application/x-ndjson' },
        })
      ).json()) as Job;
      for (const deadline = Date.now() + 120_000; ; await setTimeout(100)) {
        const { state } = (await (await this.call(who, 'GET', `/api/v1/jobs/${job.id}`)).json()) as Job;
        if (state === 'completed') break;
        if (Date.now() > deadline) throw new Error(`the documents of the ${who} are not stored`);
      }
    }
  }
}

function keysOf(): { keys: Record<Who, string>; file: string } {
  const entries: object[] = [];
  const keyFor = (name: Who): string => {
    const { key, id, hash } = newApiKey();
    const rights =
      name === 'operator' ? { scopes: ['admin'] } : { scopes: ['submit', 'search'], tenant: name };
    entries.push({ name, id, hash, ...rights });
    return key;
  };
  const keys = { attacker: keyFor('attacker'), victim: keyFor('victim'), operator: keyFor('operator') };
  return { keys, file: JSON.stringify(entries) };
}
