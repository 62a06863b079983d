/**
 * Measures what heads add to a dense pass: `node libs/inference/src/bench-heads.ts MODEL.onnx HIDDEN`, with a text
 * encoder of that hidden size. Adds heads with random weights in bge-m3's shapes (hidden → 1, hidden → hidden), and
 * runs the same batches alternately without them and with all three outputs. Prints the median CPU seconds of each, and
 * their ratio.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EngineBatch, EngineOutput } from './engine.ts';
import type { DenseModel } from './engine/protocol.ts';
import { ModelSession } from './engine/session.ts';
import { defaultGraph } from './engine/session-options.ts';

const ROUNDS = 15;
const BATCHES = [
  [16, 32],
  [4, 128],
  [2, 256],
] as const;

const [path = '', hidden = '384'] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'embedmill-heads-'));
try {
  const size = Number(hidden);
  const [lexical, tokenVectors] = [join(folder, 'lexical.safetensors'), join(folder, 'tokens.safetensors')];
  await writeFile(lexical, layerFile(1, size));
  await writeFile(tokenVectors, layerFile(size, size));
  const plain = { kind: 'dense', path, pooling: 'cls', normalize: true, padTokenId: 0 } as const;
  const cpu = { kind: 'cpu', threads: 1 } as const;
  const load = (model: DenseModel) => ModelSession.load(model, { device: cpu, graph: defaultGraph(cpu) });
  const dense = await load(plain);
  const all = await load({ ...plain, lexical: { path: lexical }, tokenVectors: { path: tokenVectors } });
  const ways = {
    dense: () => runAll(dense, ['dense']),
    'dense, lexical': () => runAll(all, ['dense', 'lexical']),
    'dense, lexical, token vectors': () => runAll(all, ['dense', 'lexical', 'states']),
  };
  const seconds = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, run] of Object.entries(ways)) seconds.get(name)?.push(await run());
  }
  const medians = [...seconds].map(([name, all]) => [name, median(all)] as const);
  const [[, base]] = medians as [readonly [string, number]];
  for (const [name, taken] of medians) {
    const figures = `${taken.toFixed(3)} s of CPU, ${(taken / base).toFixed(3)} of the dense pass`;
    process.stdout.write(`${name}: ${figures}\n`);
  }
} finally {
  await rm(folder, { recursive: true });
}

async function runAll(session: ModelSession, outputs: readonly EngineOutput[]): Promise<number> {
  const before = process.cpuUsage();
  for (const [count, length] of BATCHES) {
    const ids = Int32Array.from({ length: count * length }, (_, n) => 1000 + ((n * 7919) % 20_000));
    const lengths = new Int32Array(count).fill(length);
    const batch: EngineBatch = { ids, lengths, urgent: false, outputs };
    await session.run(batch);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** A safetensors file of a linear layer with arbitrary weights. */
function layerFile(outputs: number, inputs: number): Buffer {
  const weights = Float32Array.from({ length: outputs * inputs }, (_, n) => Math.sin(n) / Math.sqrt(inputs));
  const tensor = { dtype: 'F32', shape: [outputs, inputs], data_offsets: [0, weights.byteLength] };
  const header = Buffer.from(JSON.stringify({ weight: tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.from(weights.buffer)]);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
