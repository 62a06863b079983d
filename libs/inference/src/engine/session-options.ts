import { dirname } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import type { Device } from '../device.ts';
import type { EngineModel, GraphTuning, SessionTuning } from './protocol.ts';

/**
 * The default options for a device without measurements. On CPUs, ONNX Runtime 1.30 runs the fused
 * SkipLayerNormalization several times slower than the Add and LayerNormalization that it replaces.
 */
export function defaultGraph(device: Pick<Device, 'kind'>): GraphTuning {
  return { level: 'all', without: device.kind === 'cpu' ? ['SkipLayerNormFusion'] : [] };
}

export function sessionOptions(
  model: Pick<EngineModel, 'path'>,
  { device, graph }: Pick<SessionTuning, 'device' | 'graph'>,
): InferenceSession.SessionOptions {
  return {
    ...providerOptions(device),
    executionMode: 'sequential',
    graphOptimizationLevel: graph.level,
    // Errors are thrown; the log would repeat them on the worker's stderr.
    logSeverityLevel: 4,
    extra: {
      session: {
        intra_op: { allow_spinning: device.kind === 'cpu' && device.spinning === true ? '1' : '0' },
        // The graph is loaded from memory, so the location of external weights must be given.
        model_external_initializers_file_folder_path: dirname(model.path),
      },
      ...(graph.without.length === 0
        ? {}
        : { optimization: { disable_specified_optimizers: graph.without.join(';') } }),
    },
  };
}

function providerOptions(device: Device): InferenceSession.SessionOptions {
  switch (device.kind) {
    case 'cpu':
      return { executionProviders: ['cpu'], intraOpNumThreads: device.threads, interOpNumThreads: 1 };
    case 'cuda': {
      const cuda = { name: 'cuda', deviceId: device.index } as const;
      const tensorrt = { name: 'tensorrt', deviceId: device.index } as const;
      const executionProviders = device.tensorrt === undefined ? [cuda] : [tensorrt, cuda];
      return { executionProviders, intraOpNumThreads: 1, interOpNumThreads: 1 };
    }
    case 'webgpu':
      return { executionProviders: ['webgpu'], intraOpNumThreads: 1, interOpNumThreads: 1 };
  }
}

/**
 * The environment variables of the engine's process. onnxruntime-node passes only the GPU's number to TensorRT, which
 * reads its other options from these variables
 * (https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html).
 */
export function deviceEnvironment(device: Device): Record<string, string> {
  if (device.kind !== 'cuda' || device.tensorrt === undefined) return {};
  return {
    ORT_TENSORRT_FP16_ENABLE: '1',
    ORT_TENSORRT_ENGINE_CACHE_ENABLE: '1',
    ORT_TENSORRT_TIMING_CACHE_ENABLE: '1',
    ORT_TENSORRT_CACHE_PATH: device.tensorrt.cacheFolder,
  };
}
