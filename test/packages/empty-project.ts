import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** A Node with which packages are tested. */
export interface PlainNode {
  major: number;
  path: string;
}

const searched = (process.env['PATH'] ?? '').split(delimiter).filter((one) => !one.includes('node_modules'));

/** The machine's own Node, as a user who installs a package has it, and this repository's; each major version once. */
export async function plainNodes(): Promise<PlainNode[]> {
  const own = searched.map((folder) => join(folder, 'node')).find((path) => existsSync(path));
  const nodes: PlainNode[] = [];
  for (const path of [own ?? process.execPath, process.execPath]) {
    const { stdout } = await run(path, ['-p', 'process.versions.node.split(".")[0]']);
    const major = Number(stdout);
    if (!nodes.some((one) => one.major === major)) nodes.push({ major, path });
  }
  return nodes;
}

/** Settings of this run that must not reach a stranger's project, except the registry of packages. */
const OURS =
  /^(npm_(?!config_(registry|cache|userconfig)$)|EMBEDMILL_|NODE_(OPTIONS|ENV)$|REDIS_URL|QDRANT_URL|MILVUS_URL|VITEST)/i;

/** A folder that contains only installed packages, where everything runs on one Node. */
export class EmptyProject {
  readonly folder: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly #node: PlainNode;

  private constructor(folder: string, node: PlainNode) {
    this.folder = folder;
    this.#node = node;
    const theirs = Object.entries(process.env).filter(([name]) => !OURS.test(name));
    const path = [dirname(node.path), ...searched].join(delimiter);
    this.environment = { ...Object.fromEntries(theirs), PATH: path };
  }

  static async create(node: PlainNode): Promise<EmptyProject> {
    const project = new EmptyProject(await mkdtemp(join(tmpdir(), 'embedmill-package-')), node);
    await project.write('package.json', '{ "private": true }\n');
    return project;
  }

  async write(name: string, text: string): Promise<void> {
    await writeFile(join(this.folder, name), text);
  }

  /** Installs as the packages' READMEs say. */
  async install(...packages: string[]): Promise<void> {
    await this.command('npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages);
  }

  /** Returns a program's output; rejects with all of it if the program fails. */
  async command(program: string, ...args: string[]): Promise<string> {
    const options = { cwd: this.folder, env: this.environment, maxBuffer: 1 << 26 };
    const { stdout } = await run(program, args, options).catch(
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(
          `${program} ${args.join(' ')}: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`,
        );
      },
    );
    return stdout;
  }

  node(...args: string[]): Promise<string> {
    return this.command(this.#node.path, ...args);
  }

  /**
   * Compiles files as a strict project does, with the types of the installed packages; `other` options are for types
   * that do not comply.
   */
  async compile(files: string[], other: Record<string, unknown> = {}): Promise<void> {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2024', 'esnext.disposable'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      typeRoots: [join(ROOT, 'node_modules/@types')],
      types: ['node'],
      ...other,
    };
    await this.write('tsconfig.json', JSON.stringify({ compilerOptions, files }));
    await this.node(TSC, '-p', '.');
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}
