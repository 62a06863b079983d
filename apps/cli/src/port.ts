import { createServer } from 'node:net';
import { CommandError } from './exit.ts';

/** The port, when a server can listen on it (0: any). Throws a `CommandError` that says which setting chooses another. */
export async function freePort(host: string, port: number, setting: string): Promise<number> {
  if (port === 0) return 0;
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true }, resolve);
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${(error as Error).message})`;
    throw new CommandError(
      `port ${port} of ${host} ${why}; choose another with ${setting} (0 takes any free one)`,
      undefined,
      { cause: error },
    );
  }
  await new Promise((resolve) => server.close(resolve));
  return port;
}
