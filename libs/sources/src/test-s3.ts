import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('s3-server.fixture.ts', import.meta.url));

/** A real S3-compatible server for one test, in its own process, with its objects in a temporary folder. */
export class TestS3 {
  readonly bucket = 'mill';
  /** The folder of its objects. */
  readonly folder: string;
  #port = 0;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<TestS3> {
    const server = new TestS3(await mkdtemp(join(tmpdir(), 'embedmill-s3-')));
    try {
      await server.run();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The environment that a client process needs. */
  get environment(): Record<string, string> {
    return {
      AWS_ENDPOINT_URL_S3: this.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      EMBEDMILL_S3_PATH_STYLE: 'true',
    };
  }

  /** Starts it, on the same port as before. */
  async run(): Promise<void> {
    const child = fork(SERVER, [this.folder, String(this.#port)], {
      // Its continuation tokens use a legacy cipher.
      execArgv: ['--openssl-legacy-provider'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#process = child;
    const [message] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`the S3 server ended with ${String(code)}`);
      }),
    ])) as [{ port: number }];
    this.#port = message.port;
  }

  /** Kills it; its objects stay for the next `run`. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.folder, { recursive: true, force: true });
  }
}
