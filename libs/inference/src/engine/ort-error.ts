/**
 * How a lack of memory shows in ONNX Runtime's errors. Its Node binding throws plain `Error`s without code or type, so
 * this is the only place that identifies an error by its text. A mistake costs only time: a batch that fails for any
 * other reason is halved as well, but the budget is not reduced.
 */
const OUT_OF_MEMORY = [
  /Failed to allocate memory for requested buffer/, // its own arena, on every device
  /std::bad_alloc/,
  /CUDA_ERROR_OUT_OF_MEMORY|CUDA failure 2\b|cudaErrorMemoryAllocation/,
  /CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED/,
];

export function isOutOfMemory(thrown: unknown): boolean {
  // V8 throws this if it cannot allocate a typed array.
  if (thrown instanceof RangeError) return true;
  return thrown instanceof Error && OUT_OF_MEMORY.some((sign) => sign.test(thrown.message));
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
