/** A peer in its own Python: loads its model once, then runs rounds one at a time. */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface PeerStart {
  python: string;
  script: string;
  arguments: string[];
  cwd: string;
}

const PATIENCE_MS = 10_000;

export class PeerProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #answers: AsyncIterator<string>;
  #said = '';

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-4000)));
  }

  /** Throws the peer's error output if it does not start. */
  static async start({ python, script, arguments: given, cwd }: PeerStart): Promise<PeerProcess> {
    const child = spawn(python, [join(import.meta.dirname, 'python', script), ...given], {
      cwd,
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HF_HUB_OFFLINE: '1', PYTHONDONTWRITEBYTECODE: '1', DO_NOT_TRACK: '1' },
    });
    const peer = new PeerProcess(child);
    await peer.#answer();
    return peer;
  }

  /** Runs a round over all texts and returns the seconds. */
  async round(): Promise<number> {
    this.#child.stdin.write('round\n');
    const { seconds } = await this.#answer();
    return Number(seconds);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    // A library's threads may keep it from exiting.
    const late = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS);
    await ended;
    clearTimeout(late);
  }

  /** The next line of JSON; other output of libraries is skipped. */
  async #answer(): Promise<Record<string, unknown>> {
    for (;;) {
      const { value, done } = await this.#answers.next();
      if (done === true) throw new Error(this.#said.trim().split('\n').at(-1) ?? 'it exited without output');
      if (value.startsWith('{')) return JSON.parse(value) as Record<string, unknown>;
    }
  }
}
