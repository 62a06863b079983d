import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));
const FIXTURE = fileURLToPath(new URL('starter.fixture.ts', import.meta.url));
/** Without what a shell put into `_`, and with the Node that runs this before any other. */
const ENVIRONMENT = {
  ...process.env,
  _: '',
  PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
};

async function outputOf(program: string, args: string[], more: NodeJS.ProcessEnv = {}): Promise<string> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...ENVIRONMENT, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  return output.trim();
}

const npm = (more?: NodeJS.ProcessEnv) => outputOf('npm', ['exec', '-c', `node ${FIXTURE}`], more);

test('npm is found behind the shell that it starts', async () => {
  expect(await npm()).toBe('starter: npm');
});

test('under nohup, npm may go', async () => {
  expect(await npm({ _: '/usr/bin/nohup' })).toBe('starter: none');
});

test('a program, a shell or a script of a package may go, for they may mean to', async () => {
  expect(await outputOf(process.execPath, [FIXTURE])).toBe('starter: none');
  expect(await outputOf('sh', ['-c', `node ${FIXTURE}; true`])).toBe('starter: none');
  // What npm started is not what this started, where something stands between that can be left on purpose.
  const script = `require('node:child_process').spawnSync(process.execPath, ['${FIXTURE}'], { stdio: 'inherit' })`;
  expect(await outputOf('npm', ['exec', '-c', `node -e "${script}"`])).toBe('starter: none');
});

test.each(['SIGTERM', 'SIGKILL'] as const)('npx that gets %s takes the command with it', async (signal) => {
  // It waits for its standard input; no server is asked before that.
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const npx = spawn('npx', ['embedmill', 'submit', '-', '-c', 'c', '--url', url], {
    cwd: ROOT,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  try {
    npx.stdout.resume();
    npx.stdin.on('error', () => {}).write('{"id":1,"text":"one"}\n');
    await once(server, 'connection');
    npx.kill(signal);
    // The command holds the other end of the pipe until it has ended.
    await once(npx, 'close');
  } finally {
    npx.kill('SIGKILL');
    server.close();
  }
});
