/** The fake Qdrant as a process of its own, on the port given or on any free one; it says where: node fake-server.ts [PORT]. */
import { startFakeQdrant } from './fake-qdrant.ts';

const { url } = await startFakeQdrant({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(`${url}\n`);
