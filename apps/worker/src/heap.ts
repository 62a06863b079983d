import { setFlagsFromString } from 'node:v8';

/**
 * Vectors are outside of V8's heap. Without this flag, V8 collects the whole heap after each further 64 MB of them, which
 * took as much of a worker's time as all its other work for short texts; with it, they count towards the limit that the
 * heap has anyway. Modules that handle vectors in bulk import this first. Older Nodes lack the flag and report it on
 * stderr.
 */
if (Number(process.versions.node.split('.')[0]) >= 24) {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
