import { createRequire } from 'node:module';

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string };

/** ONNX Runtime's version. What was measured or cached with another is of no use. */
export const RUNTIME_VERSION = version;
