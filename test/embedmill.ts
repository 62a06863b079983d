import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isFinished, type Hit, type Job } from '@embedmill/jobs';

const BIN = fileURLToPath(new URL('../apps/cli/bin/embedmill.js', import.meta.url));

/** Documents as NDJSON. */
export const ndjson = (documents: readonly object[]): string =>
  documents.map((document) => `${JSON.stringify(document)}\n`).join('');

export interface UpState {
  pid: number;
  url: string;
  metrics: { api: string; worker: string };
  /** Null for services that are not ours: a store at QDRANT_URL, a Redis at REDIS_URL. */
  processes: { api: number; worker: number; store: number | null; redis: number | null };
}

/** A real `embedmill up` for one test: all its processes on free ports, with a data folder that is removed with it. */
export class Embedmill {
  readonly #collections: string[] = [];
  readonly data: string;
  readonly #process: ChildProcess;
  #output = '';

  private constructor(data: string, process: ChildProcess) {
    this.data = data;
    this.#process = process;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
      });
    }
  }

  static async up(
    options: {
      args?: string[];
      env?: Record<string, string>;
      data?: string;
      /** The program of another checkout; by default this one's. */
      bin?: string;
    } = {},
  ): Promise<Embedmill> {
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'embedmill-test-')));
    const args = [options.bin ?? BIN, 'up', '--data', data, '--port', '0', ...(options.args ?? [])];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, EMBEDMILL_WORKER_PORT: '0', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const up = new Embedmill(data, child);
    try {
      await up.until('it is ready', async () => {
        if (child.exitCode !== null) throw new Error(`up ended with ${child.exitCode}:\n${up.#output}`);
        return (await up.state().catch(() => undefined))?.pid === child.pid;
      });
      return up;
    } catch (error) {
      await up.stop();
      throw error;
    }
  }

  get output(): string {
    return this.#output;
  }

  async state(): Promise<UpState> {
    return JSON.parse(await readFile(join(this.data, 'up.json'), 'utf8')) as UpState;
  }

  /** Waits for a condition. On timeout, fails with the condition's name and the output of `up`. */
  async until(what: string, met: () => Promise<boolean>, seconds = 150): Promise<void> {
    for (const deadline = Date.now() + seconds * 1000; !(await met()); await setTimeout(50)) {
      if (Date.now() > deadline)
        throw new Error(`waited ${seconds} s in vain until: ${what}\n${this.#output}`);
    }
  }

  async call(path: string, init: RequestInit = {}): Promise<Response> {
    const { url } = await this.state();
    return fetch(new URL(path, url), init);
  }

  /** Returns a JSON answer; throws the problem if the request fails. */
  async json<T>(path: string, body?: unknown, method = body === undefined ? 'GET' : 'POST'): Promise<T> {
    const response = await this.call(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  async submit(
    collection: string,
    ndjson: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<Job> {
    const response = await this.call(`/api/v1/collections/${collection}/jobs`, {
      method: 'POST',
      body: typeof ndjson === 'string' ? ndjson : new Uint8Array(ndjson),
      headers: { 'content-type': 'application/x-ndjson', ...headers },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`submit: ${response.status} ${text}`);
    return JSON.parse(text) as Job;
  }

  /** Resolves once some of a job's documents are settled; rejects if all of them already are. */
  async underWay(job: Pick<Job, 'id'>): Promise<void> {
    await this.until('the job is under way', async () => {
      const { done, state } = await this.json<Job>(`/api/v1/jobs/${job.id}`);
      if (state === 'completed') throw new Error('the job was over before anything could be done to it');
      return done > 0;
    });
  }

  async finished(job: Pick<Job, 'id'>, seconds = 240): Promise<Job> {
    let last: Job | undefined;
    await this.until(
      `job ${job.id} has finished`,
      async () => {
        last = await this.json<Job>(`/api/v1/jobs/${job.id}`).catch(() => undefined);
        return last !== undefined && isFinished(last.state);
      },
      seconds,
    ).catch((error: unknown) => {
      throw new Error(`last seen: ${JSON.stringify(last)}`, { cause: error });
    });
    return last as Job;
  }

  async reports(job: Pick<Job, 'id'>, kind: 'failures' | 'warnings'): Promise<Record<string, unknown>[]> {
    const text = await (await this.call(`/api/v1/jobs/${job.id}/${kind}`)).text();
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Runs a command against this server, as a user in another terminal would. */
  async cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    return runCli([...args, '--data', this.data]);
  }

  /** Kills the API and resolves once its successor answers. */
  async killApi(): Promise<void> {
    const { api } = (await this.state()).processes;
    process.kill(api, 'SIGKILL');
    await this.until('another API answers', async () => {
      const state = await this.state().catch(() => undefined);
      const isOther = state !== undefined && state.processes.api !== api;
      return isOther && (await this.call('/healthz').catch(() => undefined))?.ok === true;
    });
  }

  /** Kills every process at once, as a power failure would, and keeps the data folder. */
  async killAll(): Promise<void> {
    const { pid, processes } = await this.state();
    const engines = await childrenOf(processes.worker);
    for (const one of [pid, ...Object.values(processes), ...engines])
      if (one !== null) process.kill(one, 'SIGKILL');
    if (this.#process.exitCode === null && this.#process.signalCode === null)
      await once(this.#process, 'exit');
  }

  /**
   * Creates a collection with a unique name. `stop` deletes it, because with QDRANT_URL it would outlive the data
   * folder.
   */
  async collection(prefix: string, profile: object = {}): Promise<string> {
    const name = uniqueName(prefix);
    await this.json('/api/v1/collections', { name, profile });
    this.#collections.push(name);
    return name;
  }

  /** The collections that `collection` created. */
  get collections(): readonly string[] {
    return this.#collections;
  }

  async search(collection: string, query: object): Promise<Hit[]> {
    return (await this.json<{ hits: Hit[] }>(`/api/v1/collections/${collection}/search`, query)).hits;
  }

  /** Ends it as Ctrl-C does, and returns its exit code. All data is kept. */
  async end(): Promise<number | null> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGINT');
      const timer = globalThis.setTimeout(() => this.#process.kill('SIGKILL'), 45_000);
      await exited;
      clearTimeout(timer);
    }
    // A clean stop removes up.json. If the file is still there, its processes may be, too.
    const left = await this.state().catch(() => undefined);
    for (const pid of Object.values(left?.processes ?? {})) if (pid !== null) killIfAlive(pid);
    return this.#process.exitCode;
  }

  /** Ends it and removes all data. */
  async stop(): Promise<number | null> {
    for (const name of this.#collections.splice(0))
      await this.call(`/api/v1/collections/${name}`, { method: 'DELETE' }).catch(() => undefined);
    const code = await this.end();
    await rm(this.data, { recursive: true, force: true });
    return code;
  }
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has already ended.
  }
}

/** Runs the command line to its end. */
export async function runCli(
  args: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], {
    cwd: dirname(dirname(dirname(BIN))),
    env: { ...process.env, ...options.env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(options.input ?? '');
  await once(child, 'close');
  return { code: child.exitCode ?? -1, stdout, stderr };
}

/** A collection name that is unique to this run, so that runs can share a store. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${process.pid}-${Date.now().toString(36)}`;
}

/** The pids of a process's children. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const name of await readdir('/proc')) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    if (stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid)) children.push(Number(name));
  }
  return children;
}
