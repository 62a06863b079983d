import { Command, CommanderError } from 'commander';
import { CommandHost, type GlobalOptions, type Surroundings } from './command-host.ts';
import { addAliases } from './commands/aliases.ts';
import { addBench } from './commands/bench.ts';
import { addCollections } from './commands/collections.ts';
import { addDelete } from './commands/delete.ts';
import { addDemo } from './commands/demo.ts';
import { addDocument } from './commands/document.ts';
import { addDuplicates } from './commands/duplicates.ts';
import { addEmbed } from './commands/embed.ts';
import { addEval } from './commands/eval.ts';
import { addExport } from './commands/export.ts';
import { addDoctor } from './commands/doctor.ts';
import { addJobs } from './commands/jobs.ts';
import { addKeys } from './commands/keys.ts';
import { addMap } from './commands/map.ts';
import { addMcp } from './commands/mcp.ts';
import { addMigrate } from './commands/migrate.ts';
import { addModels } from './commands/models.ts';
import { addParse } from './commands/parse.ts';
import { addPause } from './commands/pause.ts';
import { addPlan } from './commands/plan.ts';
import { addQuantize } from './commands/quantize.ts';
import { addLike, addSearch } from './commands/search.ts';
import { addSubmit } from './commands/submit.ts';
import { addUp } from './commands/up.ts';
import { addUsage } from './commands/usage.ts';
import { addWatchSource } from './commands/watch-source.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { httpUrl } from './options/option-values.ts';
import { ownVersion } from './own-version.ts';

const AFTER_HELP = `
Environment: EMBEDMILL_URL, EMBEDMILL_KEY, EMBEDMILL_DATA_DIR, REDIS_URL, QDRANT_URL, MILVUS_URL, NO_COLOR.
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 the job finished with failed documents, 130 interrupted.`;

/** Runs one command line (without the program's name) to its end and returns its exit code. */
export async function runCommandLine(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const program = new Command('embedmill')
    .description('turn mountains of documents into searchable vectors')
    .version(ownVersion())
    .option('--json', 'print one JSON object instead of text')
    .option('--url <address>', 'the server, instead of the one that runs on the data folder', httpUrl)
    .option(
      '--api-key <key>',
      'the key for the server (better: EMBEDMILL_KEY, which process lists do not show)',
    )
    .option('--data <folder>', 'the data folder (default: EMBEDMILL_DATA_DIR, or .embedmill)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void surroundings.out.write(text),
      writeErr: (text) => void surroundings.err.write(text),
    })
    .showHelpAfterError('Run it with --help to see its usage.')
    .addHelpText('after', AFTER_HELP)
    .exitOverride();
  const host = new CommandHost(surroundings, () => program.opts<GlobalOptions>());
  addUp(program, host);
  addDemo(program, host);
  addCollections(program, host);
  addAliases(program, host);
  addSubmit(program, host);
  addParse(program, host);
  addEmbed(program, host);
  addDelete(program, host);
  addWatchSource(program, host);
  addJobs(program, host);
  addUsage(program, host);
  addPause(program, host);
  addSearch(program, host);
  addLike(program, host);
  addDuplicates(program, host);
  addDocument(program, host);
  addExport(program, host);
  addMigrate(program, host);
  addMap(program, host);
  addMcp(program, host);
  addEval(program, host);
  addKeys(program, host);
  addModels(program, host);
  addQuantize(program, host);
  addBench(program, host);
  addPlan(program, host);
  addDoctor(program, host);
  try {
    await program.parseAsync(args, { from: 'user' });
    return host.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}
