import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, once, over, processSeries, rate, rateOf, sum } from './expression.ts';
import { graph, stat } from './panels.ts';
import { dashboard, textVariable } from './variables.ts';

const allTokens = sum(rate('tokens'));
const bulkTokens = sum(rate('tokens', { lane: 'bulk' }));
const workers = `count(${gauge('engines')})`;
const backlog = sum(once(gauge('backlogTokens'), ['model']));
const perWorker = over(allTokens, workers);

/** What does it cost, and how many workers does it take? */
export function costAndCapacity(): Dashboard {
  return dashboard('cost-and-capacity', 'Cost & capacity', 'Pace, time to drain, cost per million tokens.')
    .withVariable(
      textVariable('price', 'Price of a worker-hour', {
        description: 'In whatever currency; of one worker process with its device.',
        value: '1',
      }),
    )
    .withVariable(
      textVariable('drain_hours', 'Drain within hours', {
        description: 'For the number of workers that it would take.',
        value: '1',
      }),
    )
    .withRow(new RowBuilder('Now'))
    .withPanel(
      stat({
        title: 'Workers',
        description: 'Worker processes that are scraped.',
        unit: 'short',
        queries: [[workers, 'workers']],
        runbook: 'EmbedmillTargetDown',
      }),
    )
    .withPanel(
      stat({
        title: 'Tokens per worker-second',
        description: 'Tokens of all lanes over workers, idle ones included.',
        unit: 'short',
        queries: [[perWorker, 'tokens']],
        decimals: 0,
      }),
    )
    .withPanel(
      stat({
        title: 'Time to drain',
        description: 'Tokens to go over bulk tokens per second. Empty while nothing moves.',
        unit: 's',
        queries: [[over(backlog, bulkTokens), 'time to drain']],
        thresholds: [4 * 3600, 24 * 3600],
        decimals: 1,
      }),
    )
    .withPanel(
      stat({
        title: 'Workers to drain in time',
        description:
          'How many workers as fast as these would drain the backlog within the hours that are set.',
        unit: 'short',
        queries: [[`ceil(${over(backlog, `${bulkTokens} / ${workers} * 3600 * $drain_hours`)})`, 'workers']],
      }),
    )
    .withPanel(
      stat({
        title: 'Cost per million tokens',
        description:
          'The price of the workers that run, over the tokens that they run: idle workers make it dear.',
        unit: 'short',
        queries: [[over(`$price * ${workers} / 3600 * 1e6`, allTokens), 'cost']],
        decimals: 4,
      }),
    )
    .withPanel(
      stat({
        title: 'Cost of the backlog',
        description: 'What draining the backlog costs at this pace.',
        unit: 'short',
        queries: [[over(`$price * ${workers} / 3600 * ${backlog}`, bulkTokens), 'cost']],
        decimals: 2,
      }),
    )
    .withRow(new RowBuilder('Over time'))
    .withPanel(
      graph({
        title: 'Cost per million tokens',
        description: 'The price of the workers that run, over the tokens that they run, by pool.',
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
        description: 'Worker processes that are scraped, and engines that they run.',
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
        description: 'Tokens to go, and bulk tokens per hour: where the lines meet, an hour of work is left.',
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
        description: 'The share of their time in which engines ran a batch: what is paid for and used.',
        unit: 'percentunit',
        queries: [[over(sum(rateOf('sum', 'batchSeconds')), sum(gauge('engines'))), 'busy']],
      }),
    )
    .withPanel(
      graph({
        title: 'Worker CPU per million tokens',
        description: 'Seconds of the workers’ own processes; the cost of everything but the models.',
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
