import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { programPath } from '../prometheus/promtool.ts';
import type { Manifest } from './manifests.ts';

/**
 * A real Kubernetes API server with an etcd of its own, on loopback: it checks objects as a cluster does, and runs none of
 * them. For the tests, where both programs are on the PATH.
 */

const PROGRAMS = ['etcd', 'kube-apiserver'];
/** The programs that are missing here. */
export const MISSING = PROGRAMS.filter((name) => programPath(name) === undefined);

const START_SECONDS = 180;

interface Answer {
  status: number;
  /** What it takes, but warns of. */
  warnings: string[];
  body: Record<string, unknown>;
}

export class ApiServer {
  readonly #folder: string;
  readonly #processes: ChildProcess[] = [];
  readonly #token = randomUUID();
  readonly #kinds = new Map<string, Promise<Map<string, { name: string; namespaced: boolean }>>>();
  #output = '';
  #port = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<ApiServer> {
    const server = new ApiServer(await mkdtemp(join(tmpdir(), 'embedmill-api-server-')));
    try {
      await server.#start();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #start(): Promise<void> {
    const [etcd, peers, port] = [await freePort(), await freePort(), await freePort()];
    this.#port = port;
    const own = (name: string): string => join(this.#folder, name);
    this.#run('etcd', [
      ...['--data-dir', own('etcd'), '--unsafe-no-fsync', '--listen-peer-urls', `http://127.0.0.1:${peers}`],
      ...['--listen-client-urls', `http://127.0.0.1:${etcd}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${etcd}`],
    ]);
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
    await writeFile(own('accounts.pub'), publicKey);
    await writeFile(own('accounts.key'), privateKey, { mode: 0o600 });
    await writeFile(own('tokens.csv'), `${this.#token},admin,admin,system:masters\n`, { mode: 0o600 });
    this.#run('kube-apiserver', [
      ...[`--etcd-servers=http://127.0.0.1:${etcd}`, `--secure-port=${port}`, '--bind-address=127.0.0.1'],
      ...[`--cert-dir=${own('certificates')}`, `--token-auth-file=${own('tokens.csv')}`],
      ...['--authorization-mode=AlwaysAllow', '--service-cluster-ip-range=10.0.0.0/24'],
      `--service-account-key-file=${own('accounts.pub')}`,
      `--service-account-signing-key-file=${own('accounts.key')}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      // Nobody creates the accounts of pods, and it is nowhere to be reached but here.
      ...['--disable-admission-plugins=ServiceAccount', '--endpoint-reconciler-type=none'],
    ]);
    await this.#until('it is ready', async () => (await this.call('GET', '/readyz')).status === 200);
  }

  /**
   * Has an object checked as if it were applied; nothing is stored. Fields that its kind does not have are faults.
   *
   * @returns what the server finds wrong, and warns of; empty if nothing
   */
  async faultsOf(manifest: Manifest, namespace: string): Promise<string[]> {
    const path = await this.#pathOf(manifest, namespace);
    const query = 'dryRun=All&fieldValidation=Strict&fieldManager=test&force=true';
    return faultsIn(await this.call('PATCH', `${path}/${manifest.metadata.name}?${query}`, manifest));
  }

  /** The same of an object to be created, as a Deployment's controller creates its pods. */
  async faultsOfNew(manifest: Manifest, namespace: string): Promise<string[]> {
    const path = await this.#pathOf(manifest, namespace);
    return faultsIn(await this.call('POST', `${path}?dryRun=All&fieldValidation=Strict`, manifest));
  }

  /** Creates objects; throws with what it finds wrong. */
  async create(manifest: Manifest): Promise<void> {
    const faults = faultsIn(await this.call('POST', await this.#pathOf(manifest, 'default'), manifest));
    if (faults.length > 0) throw new Error(faults.join('\n'));
  }

  /** Whether it has a kind: of resources that are defined while it runs, only some time after that. */
  async has({ apiVersion, kind }: Pick<Manifest, 'apiVersion' | 'kind'>): Promise<boolean> {
    return (await this.#kindsOf(apiVersion)).has(kind);
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = globalThis.setTimeout(() => child.kill('SIGKILL'), 20_000);
      await ended;
      clearTimeout(timer);
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  async call(method: string, path: string, body?: object): Promise<Answer> {
    const ca = await readFile(join(this.#folder, 'certificates/apiserver.crt')).catch(() => undefined);
    if (ca === undefined) return { status: 0, warnings: [], body: {} };
    const text = body === undefined ? '' : JSON.stringify(body);
    const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = request(
      {
        host: '127.0.0.1',
        port: this.#port,
        path,
        method,
        ca,
        // The certificate is the server’s own, whatever names it has.
        checkServerIdentity: () => undefined,
        headers: { authorization: `Bearer ${this.#token}`, 'content-type': type },
      },
      (answer) => {
        let received = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
        answer.on('error', reject).on('end', () => {
          const warnings = [answer.headers['warning'] ?? []].flat();
          resolve({ status: answer.statusCode ?? 0, warnings, body: jsonIn(received) });
        });
      },
    );
    sent.on('error', reject).end(text);
    return promise;
  }

  async #pathOf({ apiVersion, kind }: Manifest, namespace: string): Promise<string> {
    const found = (await this.#kindsOf(apiVersion)).get(kind);
    if (found === undefined) throw new Error(`the server has no ${apiVersion} ${kind}`);
    return `${rootOf(apiVersion)}/${found.namespaced ? `namespaces/${namespace}/` : ''}${found.name}`;
  }

  async #kindsOf(apiVersion: string): Promise<Map<string, { name: string; namespaced: boolean }>> {
    const known = this.#kinds.get(apiVersion);
    if (known !== undefined) return known;
    const { body } = await this.call('GET', rootOf(apiVersion));
    const { resources = [] } = body as { resources?: { name: string; kind: string; namespaced: boolean }[] };
    const kinds = new Map(
      resources.filter(({ name }) => !name.includes('/')).map((resource) => [resource.kind, resource]),
    );
    if (kinds.size > 0) this.#kinds.set(apiVersion, Promise.resolve(kinds));
    return kinds;
  }

  #run(program: string, args: string[]): void {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-10_000)));
    this.#processes.push(child);
  }

  async #until(what: string, met: () => Promise<boolean>): Promise<void> {
    const isMet = () => met().catch(() => false);
    for (const deadline = Date.now() + START_SECONDS * 1000; !(await isMet()); await setTimeout(200)) {
      const ended = this.#processes.find(({ exitCode }) => exitCode !== null);
      if (ended !== undefined || Date.now() > deadline)
        throw new Error(`${ended?.spawnfile ?? 'the API server'}: not yet ${what}\n${this.#output}`);
    }
  }
}

function rootOf(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

function faultsIn({ status, warnings, body }: Answer): string[] {
  const refused = status < 300 ? [] : [`${status} ${String(body['message'] ?? '')}`];
  return [...refused, ...warnings];
}

function jsonIn(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
