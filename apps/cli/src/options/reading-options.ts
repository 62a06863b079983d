import { Option, type Command } from 'commander';
import { sourceFormatSchema } from '@embedmill/jobs';
import { columnsOf, delimiterOf, encodingOf, metadataOf } from './option-values.ts';

/** The options that say how to read files: `format`, and the fields of `Reading`. */
export function addReadingOptions(command: Command, formatDescription: string): Command {
  return command
    .addOption(new Option('--format <format>', formatDescription).choices(sourceFormatSchema.options))
    .option('--columns <field=column,…>', 'the columns of fields, such as id=sku,text=body', columnsOf)
    .option('--metadata <column,…>', 'the columns that become metadata, or rest for all others', metadataOf)
    .option('--delimiter <character>', 'delimiter of CSV; detected by default', delimiterOf)
    .option(
      '--encoding <name>',
      'encoding of CSV and NDJSON, such as windows-1252; UTF-8 by default',
      encodingOf,
    )
    .option('--list-separator <text>', 'separator of list entries within a CSV cell');
}
