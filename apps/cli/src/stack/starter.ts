/**
 * What stands between the user and this process, and does not pass signals on: npm (`npx`, `npm run`), and
 * bin/embedmill.js on an old Node. When it is gone, nobody is left to end this process, so it ends by itself.
 *
 * It is told by its process, and by nothing less: not by the parent's pid alone, for a shell, a script and what
 * starts services may go and leave this running on purpose; and not under nohup, which says so.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isRunning, processEntry, type ProcessEntry } from './process-table.ts';

export interface Starter {
  /** "npm", for people. */
  name: string;
  isGone(): boolean;
}

/** How far up it is looked for: `npx` starts a shell, that starts bin/embedmill.js, and that may start another Node. */
const GENERATIONS = 4;
const BETWEEN_LOOKS_MS = 500;

export function findStarter(environment: NodeJS.ProcessEnv = process.env): Starter | undefined {
  const parent = process.ppid;
  let launched = false;
  let entry = processEntry(parent);
  for (let generation = 0; entry !== undefined && generation < GENERATIONS; generation += 1) {
    const { pid } = entry;
    const name = packageManager(entry);
    if (name !== undefined && !isUnderNohup(environment)) {
      return { name, isGone: () => process.ppid !== parent || !isRunning(pid) };
    }
    if (isEmbedmill(entry)) launched ||= entry.pid === parent;
    else if (!isShellForOneCommand(entry)) break;
    entry = processEntry(entry.parent);
  }
  return launched ? { name: 'bin/embedmill.js', isGone: () => process.ppid !== parent } : undefined;
}

/** Calls `gone` once, when it is. Gives what ends the watch. */
export function watchStarter(starter: Starter, gone: () => void, everyMs = BETWEEN_LOOKS_MS): () => void {
  const timer = setInterval(() => {
    if (!starter.isGone()) return;
    clearInterval(timer);
    gone();
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** npm gives itself a title ("npm exec embedmill up"); the others are scripts of Node. */
function packageManager({ args: [program = '', script = ''] }: ProcessEntry): string | undefined {
  const titled = /^(np[mx])(?: |$)/.exec(program);
  return (titled ?? /^(np[mx]|pnp[mx]|yarn)(?:-cli)?(?:\.c?js)?$/.exec(basename(script)))?.[1];
}

/** bin/embedmill.js, by whatever name npm has linked it. */
export function isEmbedmill({ args }: ProcessEntry): boolean {
  return args.slice(0, 2).some((arg) => /^embedmill(?:\.js)?$/.test(basename(arg)));
}

function isShellForOneCommand({ args: [program = '', option] }: ProcessEntry): boolean {
  return /^(?:sh|dash|bash|ash|busybox|zsh)$/.test(basename(program)) && option === '-c';
}

/**
 * Node takes back what nohup set (that a hangup is ignored), so it is told by what else it leaves: its own name, which
 * shells put into `_`, or a standard input that cannot be read.
 */
function isUnderNohup(environment: NodeJS.ProcessEnv): boolean {
  if (basename(environment['_'] ?? '') === 'nohup') return true;
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & 3) === 1;
  } catch {
    return false;
  }
}
