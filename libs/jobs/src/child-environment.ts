/** What a process needs of its surroundings that is no secret: where things are, and how its libraries are tuned. */
const NAMES = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR', 'TEMP', 'TMP', 'TZ', 'LANG', 'LANGUAGE'],
  ...['SYSTEMROOT', 'WINDIR', 'APPDATA', 'LOCALAPPDATA', 'PROCESSOR_ARCHITECTURE', 'DISPLAY'],
  ...['LD_LIBRARY_PATH', 'LD_PRELOAD', 'DYLD_LIBRARY_PATH', 'NODE_OPTIONS', 'NODE_PATH', 'NODE_ENV'],
  ...[
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'UV_THREADPOOL_SIZE',
    'FORCE_COLOR',
    'NO_COLOR',
  ],
]);
/** Of locales, the C library's memory, GPUs, ONNX Runtime and the mathematics below it. */
const PREFIXES = [
  ...['LC_', 'XDG_', 'MALLOC_', 'CUDA_', 'NVIDIA_', 'CUDNN_', 'CUBLAS_', 'TF32_', 'HIP_', 'ROCR_', 'VK_'],
  ...['MESA_', 'DAWN_', 'WGPU_', 'ORT_', 'ORT_TENSORRT_', 'OMP_', 'GOMP_', 'KMP_', 'MKL_', 'OPENBLAS_'],
];

/**
 * The environment of a child that does one thing and needs no key for it: an engine, the store, Redis, FFmpeg. What is
 * on no list stays behind, so that keys which whoever started us has set are not in the reach of what parses a model
 * or a video. `own` is added as it is.
 */
export function childEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  own: Readonly<Record<string, string | undefined>> = {},
): Record<string, string | undefined> {
  const kept = Object.entries(environment).filter(
    ([name]) => NAMES.has(name.toUpperCase()) || PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
  return { ...Object.fromEntries(kept), ...own };
}
