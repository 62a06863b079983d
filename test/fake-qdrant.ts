/** A fake Qdrant on a port of this machine, for deploy/docker/try-images.sh: node test/fake-qdrant.ts PORT. */
import { startFakeQdrant } from '../libs/vector-store/src/qdrant/fake-qdrant.ts';

await startFakeQdrant({ port: Number(process.argv[2]) });
