import { createServer } from 'node:net';
import { CommandError } from '../exit.ts';
import { listenerOn, processEntry, startVariable } from './process-table.ts';
import { isEmbedmill } from './starter.ts';

/** The port, when a server can listen on it (0: any). Throws a `CommandError` that says who has it, and what to do. */
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
    const why = code === 'EADDRINUSE' ? takenBy(port) : `cannot be used: ${(error as Error).message}`;
    throw new CommandError(
      `port ${port} of ${host} ${why}, or choose another with ${setting} (0 takes any free one)`,
      undefined,
      { cause: error },
    );
  }
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const SHOWN_OF_A_COMMAND = 120;

/** Who has the port, and how to end that. */
function takenBy(port: number): string {
  const pid = listenerOn(port);
  const holder = pid === undefined ? undefined : processEntry(pid);
  if (holder === undefined) {
    return `is in use, by a process that this user cannot see; find it with "sudo lsof -nP -iTCP:${port} -sTCP:LISTEN"`;
  }
  const data = startVariable(holder.pid, 'EMBEDMILL_DATA_DIR');
  const up = processEntry(holder.parent);
  if (data !== undefined && up !== undefined && isEmbedmill(up)) {
    return (
      `is in use by another embedmill, process ${up.pid} (${commandOf(up.args)}), on the data folder ${data}; ` +
      `stop it with "kill ${up.pid}", use it with --data ${data}`
    );
  }
  return `is in use by process ${holder.pid} (${commandOf(holder.args)}); stop it with "kill ${holder.pid}"`;
}

function commandOf(args: readonly string[]): string {
  const command = args.join(' ');
  return command.length > SHOWN_OF_A_COMMAND ? `${command.slice(0, SHOWN_OF_A_COMMAND)}…` : command;
}
