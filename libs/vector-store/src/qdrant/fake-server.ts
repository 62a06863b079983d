/**
 * The fake Qdrant as a separate process, on the given port or any free one, which it prints: node fake-server.ts
 * [PORT].
 */
import { startFakeQdrant } from './fake-qdrant.ts';

const { url } = await startFakeQdrant({ port: Number(process.argv[2] ?? 0) });
process.stdout.write(`${url}\n`);
