import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, gpu, increase, over, processSeries, quantile, rate, rateOf, sum } from './expression.ts';
import { graph } from './panels.ts';
import { dashboard } from './variables.ts';

const padding = sum(rate('paddingTokens'), ['lane']);
const tokens = sum(rate('tokens'), ['lane']);
const engineMemory = sum(gauge('engineMemoryBytes'), ['instance']);

/** Are batches full, where does the time go, do engines live? */
export function workers(): Dashboard {
  return dashboard('workers', 'Workers', 'Batches, stages, engines, memory, GPUs.')
    .withRow(new RowBuilder('Batches'))
    .withPanel(
      graph({
        title: 'Items in a batch',
        description: 'Chunks or queries in one run of a model: the median and the 95th percentile.',
        unit: 'short',
        queries: [
          [quantile(0.5, 'batchItems', ['lane']), '{{lane}} p50'],
          [quantile(0.95, 'batchItems', ['lane']), '{{lane}} p95'],
        ],
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens in a batch',
        description:
          'Without padding. Far below what was calibrated, the window runs dry: too few shards in hand.',
        unit: 'short',
        queries: [[quantile(0.5, 'batchTokens', ['lane']), '{{lane}} p50']],
      }),
    )
    .withPanel(
      graph({
        title: 'Padding',
        description: 'The share of what ran through models that was padding.',
        unit: 'percentunit',
        queries: [[over(padding, `(${padding} + ${tokens})`), '{{lane}}']],
        thresholds: [0.15, 0.25],
        runbook: 'EmbedmillPaddingRatio',
      }),
    )
    .withPanel(
      graph({
        title: 'Time of a batch, 95th percentile',
        description: 'On the engine, waiting not counted.',
        unit: 's',
        queries: [[quantile(0.95, 'batchSeconds', ['lane']), '{{lane}}']],
        thresholds: [10, 60],
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens per second and worker',
        description: 'Workers of one pool should be alike; one that is slower shares its machine.',
        unit: 'short',
        queries: [[sum(rate('tokens'), ['instance']), '{{instance}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Engines busy',
        description:
          'The share of their time in which engines ran a batch. Low with a backlog: something else is the limit.',
        unit: 'percentunit',
        queries: [
          [
            over(sum(rateOf('sum', 'batchSeconds'), ['instance']), sum(gauge('engines'), ['instance'])),
            '{{instance}}',
          ],
        ],
      }),
    )
    .withRow(new RowBuilder('Stages of a shard'))
    .withPanel(
      graph({
        title: 'Time by stage, 95th percentile',
        description: 'How long a shard took to pass through each stage, waiting included.',
        unit: 's',
        queries: [[quantile(0.95, 'stageSeconds', ['stage']), '{{stage}}']],
        thresholds: [30, 60],
      }),
    )
    .withPanel(
      graph({
        title: 'Where the time goes',
        description: 'Seconds per second that shards in hand spend in each stage.',
        unit: 'short',
        queries: [[sum(rateOf('sum', 'stageSeconds'), ['stage']), '{{stage}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Wait on the queue, 95th percentile',
        description: 'How long shards and queries lay on the queue before a worker took them.',
        unit: 's',
        queries: [[quantile(0.95, 'queueWaitSeconds', ['lane']), '{{lane}}']],
        runbook: 'EmbedmillQueueStuck',
      }),
    )
    .withRow(new RowBuilder('Processes'))
    .withPanel(
      graph({
        title: 'Engines started again',
        description:
          'By why the one before ended. Its batch is run again, so that now and then one does no harm.',
        unit: 'short',
        queries: [[sum(increase('engineRestarts'), ['reason']), '{{reason}}']],
        thresholds: [1, 3],
        runbook: 'EmbedmillEngineRestarts',
      }),
    )
    .withPanel(
      graph({
        title: 'Shards that came back',
        description: 'Given back to be tried again, and lost by workers that gave no sign of life.',
        unit: 'short',
        queries: [
          [sum(rate('shards', { outcome: 'returned' })), 'returned'],
          [sum(rate('shardStalls')), 'stalled'],
        ],
        runbook: 'EmbedmillShardStalls',
      }),
    )
    .withPanel(
      graph({
        title: 'Event loop lag, 99th percentile',
        description: 'Of the workers’ own processes. Seconds of it starve the renewal of locks.',
        unit: 's',
        queries: [[processSeries('nodejs_eventloop_lag_p99_seconds'), '{{instance}}']],
        thresholds: [0.25, 0.5],
        runbook: 'EmbedmillEventLoopLag',
      }),
    )
    .withPanel(
      graph({
        title: 'Resident memory',
        description: 'Of each worker, and of its engines.',
        unit: 'bytes',
        queries: [
          [processSeries('process_resident_memory_bytes'), '{{instance}}'],
          [engineMemory, '{{instance}} engines'],
        ],
        runbook: 'EmbedmillMemoryGrowth',
      }),
    )
    .withPanel(
      graph({
        title: 'CPU of the worker’s process',
        description: 'Cores that reading, tokenizing and upserting take; engines are not in it.',
        unit: 'short',
        queries: [[`rate(${processSeries('process_cpu_seconds_total')}[$__rate_interval])`, '{{instance}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Heap in use',
        description: 'Of the worker’s own process. It should not grow with a job’s length.',
        unit: 'bytes',
        queries: [[processSeries('nodejs_heap_size_used_bytes'), '{{instance}}']],
      }),
    )
    .withRow(new RowBuilder('GPUs (DCGM exporter)'))
    .withPanel(
      graph({
        title: 'GPU utilization',
        description:
          'The share of time in which anything ran on it; a small batch counts as much as a full one.',
        unit: 'percent',
        queries: [[gpu('DCGM_FI_DEV_GPU_UTIL'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Tensor cores busy',
        description: 'What matters for embedding. Low at a high utilization: batches are small, or padded.',
        unit: 'percentunit',
        queries: [[gpu('DCGM_FI_PROF_PIPE_TENSOR_ACTIVE'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'GPU memory',
        description: 'The share in use. ONNX Runtime keeps what it took once.',
        unit: 'percentunit',
        queries: [
          [
            over(
              gpu('DCGM_FI_DEV_FB_USED'),
              `(${gpu('DCGM_FI_DEV_FB_USED')} + ${gpu('DCGM_FI_DEV_FB_FREE')})`,
            ),
            '{{Hostname}} {{gpu}}',
          ],
        ],
        thresholds: [0.9, 0.97],
      }),
    )
    .withPanel(
      graph({
        title: 'GPU power',
        description: 'Near its limit, the GPU is what limits.',
        unit: 'watt',
        queries: [[gpu('DCGM_FI_DEV_POWER_USAGE'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .build();
}
