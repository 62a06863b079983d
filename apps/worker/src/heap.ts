import { setFlagsFromString } from 'node:v8';

/**
 * Vectors lie outside of V8's heap. Without this, V8 collects the whole heap each time that another 64 MB of them
 * have come in, which took as much of a worker's time as everything else it does for short texts; with it, they
 * count towards the limit that the heap has anyway. Imported first by what handles vectors in bulk. Older Nodes
 * have no such flag, and say so on stderr.
 */
if (Number(process.versions.node.split('.')[0]) >= 24) {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
