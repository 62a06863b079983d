/** The checks of devices: each embeds a text, like the worker. */
import {
  deviceLabel,
  parseDevices,
  RemoteEngine,
  type Device,
  type DeviceName,
  type Engine,
} from '@embedmill/inference';
import type { ResolvedModel } from '@embedmill/models';
import { Tokenizer } from '@embedmill/tokenization';
import { CommandError } from '../exit.ts';
import { trialEngine } from './model-trial.ts';

const TEXT = 'a short text';
/** Devices that may exist without being configured. */
const OTHERS: DeviceName[] = [{ kind: 'cuda', index: 0 }, { kind: 'webgpu' }];
const START_MS = 60_000;

/** The configured devices of workers, each with a function that runs a text on it. Throws the fault of the setting. */
export function configuredDevices(environment: NodeJS.ProcessEnv): {
  name: string;
  embed: (model: ResolvedModel) => Promise<string>;
}[] {
  const setting = environment['EMBEDMILL_WORKER_DEVICE'] || 'cpu';
  if (setting === 'remote') {
    return [{ name: 'inference, remote', embed: (model) => embedRemotely(model, environment) }];
  }
  return parseDevices(setting).map((device) => ({
    name: `inference, ${deviceLabel(device)}`,
    embed: (model) => embedOn(device, model),
  }));
}

/** Further devices that models could run on. */
export async function otherDevices(environment: NodeJS.ProcessEnv, model: ResolvedModel): Promise<string> {
  const set = environment['EMBEDMILL_WORKER_DEVICE'] || 'cpu';
  const found: string[] = [];
  for (const device of OTHERS.filter(({ kind }) => !set.startsWith(kind))) {
    const said = await embedOn(device, model).catch((error: unknown) => `no: ${reasonOf(error)}`);
    found.push(`${deviceLabel(device)}: ${said}`);
  }
  return found.length === 0 ? 'none besides those above' : found.join('; ');
}

async function embedOn(name: DeviceName, model: ResolvedModel): Promise<string> {
  const device: Device = name.kind === 'cpu' ? { kind: 'cpu', threads: 1 } : name;
  if (model.kind !== 'dense') throw new CommandError(`${model.name} gives no dense vectors`);
  return embedOnce(await trialEngine(model, device, START_MS), model);
}

async function embedRemotely(model: ResolvedModel, environment: NodeJS.ProcessEnv): Promise<string> {
  const set = (name: string) => environment[`EMBEDMILL_WORKER_REMOTE_${name}`] || undefined;
  const url = set('URL');
  if (url === undefined) {
    throw new CommandError('the device is remote, but EMBEDMILL_WORKER_REMOTE_URL is not set');
  }
  const api = set('API');
  const engine = await RemoteEngine.connect({
    url,
    apiKey: set('KEY'),
    model: set('MODEL') ?? model.name,
    api: api === 'tei' || api === 'openai' ? api : 'auto',
    dims: model.dims,
    normalize: model.normalize,
    deadlineMs: 10_000,
  });
  return embedOnce(engine, model);
}

/** Embeds a text, checks the vector, and closes the engine. */
async function embedOnce(engine: Engine, model: ResolvedModel): Promise<string> {
  try {
    const tokenizer = await Tokenizer.load({ path: model.tokenizerPath, maxTokens: model.maxTokens });
    const [encoded] = await tokenizer.encode([TEXT], 'document');
    if (encoded === undefined) throw new CommandError('the tokenizer returned nothing');
    const { ids } = encoded;
    const lengths = Int32Array.of(ids.length);
    const { vectors, seconds } = await engine.run({ ids, lengths, urgent: true, texts: [TEXT] });
    const length = Math.hypot(...vectors);
    const isRight = model.normalize !== false ? Math.abs(length - 1) < 0.01 : length > 0;
    if (!isRight) throw new CommandError(`a vector has the length ${length} instead of 1`);
    return `${ids.length} tokens became ${vectors.length} numbers in ${(seconds * 1000).toFixed(0)} ms`;
  } finally {
    await engine.close();
  }
}

/** ONNX Runtime's errors are long and name its source files. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const last = message.split('? ').at(-1) ?? message;
  return last.replace(/^\S*onnxruntime_src\S+ .*? was false\. /, '').slice(0, 160);
}
