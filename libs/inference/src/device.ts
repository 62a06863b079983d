import { EmbedmillError } from '@embedmill/jobs';

/** What an engine computes on. */
export type Device =
  | {
      readonly kind: 'cpu';
      /** Threads per run, including the engine's main thread. */
      readonly threads: number;
      /** Whether idle threads spin while they wait for work, which is faster if the engine has its CPUs to itself. */
      readonly spinning?: boolean;
    }
  | {
      readonly kind: 'cuda';
      /** The GPU's number, from 0. */
      readonly index: number;
      /** Whether TensorRT compiles the graph; its engines are kept in `cacheFolder` for the next start. */
      readonly tensorrt?: { readonly cacheFolder: string };
    }
  | { readonly kind: 'webgpu' };

/** A device as named in settings, before threads and folders are known. */
export type DeviceName = { kind: 'cpu' } | { kind: 'cuda'; index: number } | { kind: 'webgpu' };

/**
 * Reads `cpu`, `webgpu`, `cuda` (the first GPU), or GPUs by number, as in `cuda:0,cuda:1`. Throws `invalid_config` for
 * anything else, and for duplicates or mixed kinds: a model's batches go to any of its engines, so the engines must be
 * alike.
 */
export function parseDevices(text: string): [DeviceName, ...DeviceName[]] {
  const names = text.split(',').map((name) => name.trim());
  const devices = names.map((name): DeviceName => {
    if (name === 'cpu' || name === 'webgpu') return { kind: name };
    const cuda = /^cuda(?::(\d{1,3}))?$/.exec(name);
    if (cuda !== null) return { kind: 'cuda', index: Number(cuda[1] ?? 0) };
    throw new EmbedmillError(
      'invalid_config',
      `there is no device ${JSON.stringify(name)}; use cpu, cuda, cuda:N, webgpu or remote`,
    );
  });
  const [first, ...others] = devices;
  const seen = new Set(devices.map((device) => deviceLabel(device)));
  if (first === undefined || seen.size < devices.length || others.some(({ kind }) => kind !== first.kind)) {
    throw new EmbedmillError(
      'invalid_config',
      `${JSON.stringify(text)}: name each device once, and only devices of one kind, such as cuda:0,cuda:1`,
    );
  }
  return [first, ...others];
}

/** `cpu`, `cuda:1`, `webgpu`. */
export function deviceLabel(device: DeviceName | Device): string {
  return device.kind === 'cuda' ? `cuda:${device.index}` : device.kind;
}
