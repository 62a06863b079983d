import { writeFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import type { Point } from '@embedmill/client';
import { drawMap, project, type Dot, type Projection } from '@embedmill/map';
import type { CommandHost } from '../command-host.ts';
import { CommandError, EXIT } from '../exit.ts';
import { integerBetween } from '../options/option-values.ts';
import { cut, grouped, oneLine } from '../terminal/text.ts';

interface MapOptions {
  out?: string;
  color?: string;
  method: Projection;
  points: number;
}

const LABEL_COLUMNS = 100;

export function addMap(program: Command, host: CommandHost): void {
  program
    .command('map')
    .description('draw a map of a collection, with similar documents close together')
    .argument('<collection>')
    .option('-o, --out <file>', 'the SVG to write (default: COLLECTION.svg)')
    .option('--color <field>', 'color by this metadata field')
    .addOption(new Option('--method <name>', 'how').choices(['umap', 'pca']).default('umap'))
    .option('--points <n>', 'the maximum number of points, sampled evenly', integerBetween(10, 20_000), 3000)
    .action((collection: string, { out = `${collection}.svg`, color, method, points: most }: MapOptions) =>
      host.run(async ({ client, terminal }) => {
        const view = await client().collections.get(collection);
        if (view.points === 0) throw new CommandError(`${collection} is empty; there is nothing to draw`);
        // Ids are as good as random, so every nth of them is a fair sample.
        const every = Math.ceil(view.points / most);
        const sampled: Point[] = [];
        let n = 0;
        for await (const point of client().documents.points(collection))
          if (n++ % every === 0) sampled.push(point);
        terminal.note(`placing ${grouped(sampled.length)} of ${grouped(n)} points`);
        const places = project(sampled.map(vectorOf), method);
        const dots = sampled.map((point, at): Dot => {
          const [x, y] = places[at] ?? [0, 0];
          const label = cut(oneLine(`${point.id}: ${point.title ?? ''} ${point.text}`), LABEL_COLUMNS);
          return { x, y, label, value: color === undefined ? undefined : valueOf(point, color) };
        });
        if (color !== undefined && dots.every(({ value }) => value === undefined))
          throw new CommandError(`no document of ${collection} has a "${color}" in its metadata`);
        await writeFile(out, drawMap(dots, collection, color)).catch((error: unknown) => {
          throw new CommandError(`${out} cannot be written: ${(error as Error).message}`);
        });
        if (terminal.json) terminal.printJson({ file: out, points: dots.length });
        terminal.print(`${out}: ${grouped(dots.length)} points`);
        return EXIT.ok;
      }),
    );
}

function vectorOf({ dense }: Point): Float32Array {
  const bytes = Buffer.from(dense, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, n) => bytes.readFloatLE(4 * n));
}

function valueOf({ metadata }: Point, field: string): Dot['value'] {
  const value = metadata[field];
  if (Array.isArray(value)) return value.map(String).join(', ');
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'string' || typeof value === 'number' ? value : undefined;
}
