import { findStarter } from './starter.ts';

process.stdout.write(`starter: ${findStarter()?.name ?? 'none'}\n`);
