/** A fake Qdrant on a port of this machine, for try-images.sh: node test/fake-qdrant.ts PORT. */
import { startFakeQdrant } from '../libs/vector-store/src/qdrant/fake-qdrant.ts';

const port = Number(process.argv[2]);
const fake = await startFakeQdrant({ port });
console.log(`a fake Qdrant at ${fake.url}`);
