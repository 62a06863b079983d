import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '../free-port.ts';

export interface RuleHealth {
  name: string;
  health: string;
  lastError?: string;
}

export interface Target {
  job: string;
  /** In the form host:port. */
  address: string;
}

/** A real Prometheus for one test, on a free loopback port, which scrapes every second. */
export class PrometheusServer {
  readonly url: string;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, process: ChildProcess, folder: string) {
    this.url = url;
    this.#process = process;
    this.#folder = folder;
  }

  /** @param program the path of Prometheus; `rules` are rule files */
  static async start(
    program: string,
    targets: readonly Target[],
    rules: string[],
  ): Promise<PrometheusServer> {
    for (let attempt = 1; ; attempt += 1) {
      const started = await PrometheusServer.#startOn(await freePort(), program, targets, rules);
      if (typeof started !== 'string') return started;
      // Another process may have taken the port meanwhile.
      if (attempt === 5) throw new Error(`Prometheus did not start: ${started}`);
    }
  }

  /** Returns the output if Prometheus exited. */
  static async #startOn(
    port: number,
    program: string,
    targets: readonly Target[],
    rules: string[],
  ): Promise<PrometheusServer | string> {
    const folder = await mkdtemp(join(tmpdir(), 'embedmill-prometheus-'));
    const config = {
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: rules,
      scrape_configs: targets.map(({ job, address }) => ({
        job_name: job,
        static_configs: [{ targets: [address] }],
      })),
    };
    await writeFile(join(folder, 'prometheus.yml'), JSON.stringify(config));
    const child = spawn(
      program,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const server = new PrometheusServer(`http://127.0.0.1:${port}`, child, folder);
    for (const deadline = Date.now() + 60_000; ; await setTimeout(50)) {
      if ((await fetch(`${server.url}/-/ready`).catch(() => undefined))?.ok === true) return server;
      if (child.exitCode === null && Date.now() < deadline) continue;
      await server.stop();
      return said;
    }
  }

  /** The values of an instant query at the current time. */
  async query(expression: string): Promise<number[]> {
    const query = new URLSearchParams({ query: expression });
    type Result = { resultType: 'vector' | 'scalar'; result: { value: [number, string] }[] };
    const { result } = await this.#get<Result>(`query?${query.toString()}`);
    return result.map(({ value }) => Number(value[1]));
  }

  async rules(): Promise<RuleHealth[]> {
    const { groups } = await this.#get<{ groups: { rules: RuleHealth[] }[] }>('rules');
    return groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #get<Data>(path: string): Promise<Data> {
    const response = await fetch(`${this.url}/api/v1/${path}`);
    const body = (await response.json()) as { status: string; error?: string; data: Data };
    if (body.status !== 'success') throw new Error(`${path}: ${body.error}`);
    return body.data;
  }
}
