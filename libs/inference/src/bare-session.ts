/**
 * ONNX Runtime alone, as an upper bound in benchmarks: sessions in child processes that repeatedly run batches prepared
 * in advance. A pipeline is measured by the share of this speed that it reaches.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { childEnvironment } from '@embedmill/jobs';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { EngineBatch } from './engine.ts';
import { Feeds } from './engine/feeds.ts';
import type { EngineModel, GraphTuning } from './engine/protocol.ts';
import { sessionOptions } from './engine/session-options.ts';

type ToSession =
  | { kind: 'load'; model: EngineModel; graph: GraphTuning; threads: number; batches: EngineBatch[] }
  | { kind: 'run'; seconds: number };

type FromSession =
  | { kind: 'ready'; peakRssBytes: number }
  | { kind: 'ran'; tokens: number; seconds: number; peakRssBytes: number }
  | { kind: 'failed'; message: string };

export interface BareSessionOptions {
  /** The URL of a file that calls `serveBareSession()`. */
  entry: URL;
  model: EngineModel;
  graph: GraphTuning;
  threads: number;
  /** Run in turn, repeatedly. Their tensors are made once, before timing starts. */
  batches: EngineBatch[];
}

/** One session in its own process. Call `start`, then `run` any number of times, then `close`. */
export class BareSession {
  readonly #child: ChildProcess;
  peakRssBytes = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ entry, ...load }: BareSessionOptions): Promise<BareSession> {
    const child = fork(fileURLToPath(entry), [], {
      serialization: 'advanced',
      execArgv: [],
      env: childEnvironment(process.env, { ORT_DISABLE_TELEMETRY: '1' }),
      stdio: ['ignore', 2, 2, 'ipc'],
    });
    const session = new BareSession(child);
    await session.#ask({ kind: 'load', ...load });
    return session;
  }

  /** Tokens per second, without padding, measured over about this many seconds. */
  async run(seconds: number): Promise<number> {
    const answer = await this.#ask({ kind: 'run', seconds });
    return answer.kind === 'ran' ? answer.tokens / answer.seconds : 0;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    await exited;
  }

  #ask(message: ToSession): Promise<Exclude<FromSession, { kind: 'failed' }>> {
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('the benchmark’s bare session died'));
      this.#child.once('exit', gone);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', gone);
        const said = answer as FromSession;
        if (said.kind === 'failed') return reject(new Error(said.message));
        this.peakRssBytes = said.peakRssBytes;
        resolve(said);
      });
      this.#child.send(message);
    });
  }
}

/** The child's side. */
export function serveBareSession(): void {
  let session: InferenceSession | undefined;
  let output = '';
  let feeds: { tensors: Record<string, Tensor>; tokens: number }[] = [];
  let at = 0;

  const runNext = async (): Promise<number> => {
    const next = feeds[at];
    at = (at + 1) % feeds.length;
    if (session === undefined || next === undefined) return 0;
    const { [output]: tensor } = await session.run(next.tensors, [output]);
    tensor?.dispose();
    return next.tokens;
  };
  const load = async ({ model, graph, threads, batches }: Extract<ToSession, { kind: 'load' }>) => {
    const ort = await import('onnxruntime-node');
    const tuning = { device: { kind: 'cpu', threads }, graph } as const;
    session = await ort.InferenceSession.create(model.path, sessionOptions(model, tuning));
    output = session.outputNames[0] ?? '';
    const inputs = session.inputMetadata;
    feeds = batches.map((batch) => {
      const longest = batch.lengths.reduce((most, length) => Math.max(most, length), 0);
      // Each batch has its own Feeds, because they reuse their buffers and all batches' tensors are kept here.
      const tensors = new Feeds(ort.Tensor, inputs, model).fill(batch, longest);
      return { tensors, tokens: batch.ids.length };
    });
    for (let n = 0; n < 3; n += 1) await runNext();
  };
  const run = async (wanted: number): Promise<{ tokens: number; seconds: number }> => {
    const start = performance.now();
    let tokens = 0;
    let seconds = 0;
    while (seconds < wanted) {
      tokens += await runNext();
      seconds = (performance.now() - start) / 1000;
    }
    return { tokens, seconds };
  };

  process.on('disconnect', () => process.exit(0));
  process.on('message', (message: ToSession) => {
    const answer = async (): Promise<FromSession> => {
      const peakRss = () => process.resourceUsage().maxRSS * 1024;
      switch (message.kind) {
        case 'load':
          await load(message);
          return { kind: 'ready', peakRssBytes: peakRss() };
        case 'run':
          return { kind: 'ran', ...(await run(message.seconds)), peakRssBytes: peakRss() };
      }
    };
    void answer()
      .catch((thrown: unknown): FromSession => ({ kind: 'failed', message: String(thrown) }))
      .then((said) => process.send?.(said));
  });
}
