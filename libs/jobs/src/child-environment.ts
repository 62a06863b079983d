/** The environment variables without secrets that a process needs: paths, and settings of its libraries. */
const NAMES = new Set([
  ...['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR', 'TEMP', 'TMP', 'TZ', 'LANG', 'LANGUAGE'],
  ...['SYSTEMROOT', 'WINDIR', 'APPDATA', 'LOCALAPPDATA', 'PROCESSOR_ARCHITECTURE', 'DISPLAY'],
  ...['LD_LIBRARY_PATH', 'LD_PRELOAD', 'DYLD_LIBRARY_PATH', 'NODE_OPTIONS', 'NODE_PATH', 'NODE_ENV'],
  ...[
    'NODE_COMPILE_CACHE',
    'NODE_EXTRA_CA_CERTS',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'UV_THREADPOOL_SIZE',
    'FORCE_COLOR',
    'NO_COLOR',
  ],
]);
/** For locales, the C library's memory, GPUs, ONNX Runtime and its maths libraries. */
const PREFIXES = [
  ...['LC_', 'XDG_', 'MALLOC_', 'CUDA_', 'NVIDIA_', 'CUDNN_', 'CUBLAS_', 'TF32_', 'HIP_', 'ROCR_', 'VK_'],
  ...['MESA_', 'DAWN_', 'WGPU_', 'ORT_', 'ORT_TENSORRT_', 'OMP_', 'GOMP_', 'KMP_', 'MKL_', 'OPENBLAS_'],
];

/**
 * The environment of a child process that needs no keys: an engine, the store, Redis, FFmpeg. Only listed variables are
 * passed on, so that code that parses a model or a video cannot reach keys in the parent's environment. `own` is added
 * unchanged.
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
