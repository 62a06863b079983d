/**
 * How memory that cannot be had shows in ONNX Runtime's errors. Its Node binding throws plain `Error`s, with
 * neither code nor type, so here, and nowhere else, an error is told by its text. A mistake costs time only: a
 * batch that fails for any other reason is halved as well, just without the budget remembering it.
 */
const OUT_OF_MEMORY = [
  /Failed to allocate memory for requested buffer/, // its own arena, on every device
  /std::bad_alloc/,
  /CUDA_ERROR_OUT_OF_MEMORY|CUDA failure 2\b|cudaErrorMemoryAllocation/,
  /CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED/,
];

export function isOutOfMemory(thrown: unknown): boolean {
  // What V8 throws when it cannot have the memory for a typed array.
  if (thrown instanceof RangeError) return true;
  return thrown instanceof Error && OUT_OF_MEMORY.some((sign) => sign.test(thrown.message));
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
