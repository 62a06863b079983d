/** A store process for tests: serves the zvec store in a folder, and writes documents on request. */
import { openZvecStore } from '../zvec/zvec-store.ts';
import { serveStore } from './serve-store.ts';

const [folder = '', socket = ''] = process.argv.slice(2);
await serveStore(await openZvecStore(folder), socket);
process.on('disconnect', () => process.exit());
process.send?.('listening');
