import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, once, over, processSeries, rate, rateOf, sum } from './expression.ts';
import { graph, stat } from './panels.ts';
import { dashboard, textVariable } from './variables.ts';

const allTokens = sum(rate('tokens'));
const bulkTokens = sum(rate('tokens', { lane: 'bulk' }));
const workers = `count(${gauge('engines')})`;
const backlog = sum(once(gauge('backlogTokens'), ['model']));
const perWorker = over(allTokens, workers);

/** Answers: what does it cost, and how many workers does it take? */
export function costAndCapacity(): Dashboard {
  return dashboard('cost-and-capacity', 'Cost & capacity', 'Pace, time to drain, cost per million tokens.')
    .withVariable(
      textVariable('price', 'Price of a worker-hour', {
        description: 'The price of one worker process with its device, in any currency.',
        value: '1',
      }),
    )
    .withVariable(
      textVariable('drain_hours', 'Drain within hours', {
        description: 'The time in which to drain the backlog, from which the number of workers follows.',
        value: '1',
      }),
    )
    .withRow(new RowBuilder('Now'))
    .withPanel(
      stat({
        title: 'Workers',
        description: 'Scraped worker processes.',
        unit: 'short',
        queries: [[workers, 'workers']],
        runbook: 'EmbedmillTargetDown',
      }),
    )
    .withPanel(
      stat({
        title: 'Tokens per worker-second',
        description: 'Tokens of all lanes divided by the number of workers, including idle ones.',
        unit: 'short',
        queries: [[perWorker, 'tokens']],
        decimals: 0,
      }),
    )
    .withPanel(
      stat({
        title: 'Time to drain',
        description: 'Pending tokens divided by bulk tokens per second. Empty while nothing progresses.',
        unit: 's',
        queries: [[over(backlog, bulkTokens), 'time to drain']],
        thresholds: [4 * 3600, 24 * 3600],
        decimals: 1,
      }),
    )
    .withPanel(
      stat({
        title: 'Workers to drain in time',
        description: 'How many such workers would drain the backlog within the configured hours.',
        unit: 'short',
        queries: [[`ceil(${over(backlog, `${bulkTokens} / ${workers} * 3600 * $drain_hours`)})`, 'workers']],
      }),
    )
    .withPanel(
      stat({
        title: 'Cost per million tokens',
        description:
          'The price of the running workers divided by the tokens they process; idle workers raise it.',
        unit: 'short',
        queries: [[over(`$price * ${workers} / 3600 * 1e6`, allTokens), 'cost']],
        decimals: 4,
      }),
    )
    .withPanel(
      stat({
        title: 'Cost of the backlog',
        description: 'The cost of draining the backlog at this rate.',
        unit: 'short',
        queries: [[over(`$price * ${workers} / 3600 * ${backlog}`, bulkTokens), 'cost']],
        decimals: 2,
      }),
    )
    .withRow(new RowBuilder('Over time'))
    .withPanel(
      graph({
        title: 'Cost per million tokens',
        description: 'The price of the running workers divided by the tokens they process, by pool.',
        unit: 'short',
        queries: [
          [
            over(
              `$price * count by (pool) (${gauge('engines')}) / 3600 * 1e6`,
              sum(rate('tokens'), ['pool']),
            ),
            'pool {{pool}}',
          ],
        ],
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens per worker-second',
        description: 'By pool. It falls when workers wait for documents or the store.',
        unit: 'short',
        queries: [
          [over(sum(rate('tokens'), ['pool']), `count by (pool) (${gauge('engines')})`), 'pool {{pool}}'],
        ],
      }),
    )
    .withPanel(
      graph({
        title: 'Workers and engines',
        description: 'Scraped worker processes and their engines.',
        unit: 'short',
        queries: [
          [workers, 'workers'],
          [sum(gauge('engines')), 'engines'],
        ],
      }),
    )
    .withPanel(
      graph({
        title: 'Backlog and pace',
        description:
          'Pending tokens, and bulk tokens per hour: where the lines meet, one hour of work is left.',
        unit: 'short',
        queries: [
          [backlog, 'tokens to go'],
          [`${bulkTokens} * 3600`, 'tokens per hour'],
        ],
      }),
    )
    .withPanel(
      graph({
        title: 'Engines busy',
        description: 'The share of time in which engines ran a batch: the used part of what is paid for.',
        unit: 'percentunit',
        queries: [[over(sum(rateOf('sum', 'batchSeconds')), sum(gauge('engines'))), 'busy']],
      }),
    )
    .withPanel(
      graph({
        title: 'Worker CPU per million tokens',
        description: 'CPU seconds of the workers’ own processes: the cost of everything except the models.',
        unit: 's',
        queries: [
          [
            over(
              `sum(rate(${processSeries('process_cpu_seconds_total')}[$__rate_interval])) * 1e6`,
              allTokens,
            ),
            'CPU seconds',
          ],
        ],
      }),
    )
    .build();
}
