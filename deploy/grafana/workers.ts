import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, gpu, increase, over, processSeries, quantile, rate, rateOf, sum } from './expression.ts';
import { graph } from './panels.ts';
import { dashboard } from './variables.ts';

const padding = sum(rate('paddingTokens'), ['lane']);
const tokens = sum(rate('tokens'), ['lane']);
const engineMemory = sum(gauge('engineMemoryBytes'), ['instance']);

/** Answers: are batches full, where does the time go, do engines stay alive? */
export function workers(): Dashboard {
  return dashboard('workers', 'Workers', 'Batches, stages, engines, memory, GPUs.')
    .withRow(new RowBuilder('Batches'))
    .withPanel(
      graph({
        title: 'Items in a batch',
        description: 'Chunks or queries per model run: the median and the 95th percentile.',
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
          'Without padding. A value far below the calibrated size means that too few shards are in progress to fill batches.',
        unit: 'short',
        queries: [[quantile(0.5, 'batchTokens', ['lane']), '{{lane}} p50']],
      }),
    )
    .withPanel(
      graph({
        title: 'Padding',
        description: 'The share of tokens run through models that was padding.',
        unit: 'percentunit',
        queries: [[over(padding, `(${padding} + ${tokens})`), '{{lane}}']],
        thresholds: [0.15, 0.25],
        runbook: 'EmbedmillPaddingRatio',
      }),
    )
    .withPanel(
      graph({
        title: 'Time of a batch, 95th percentile',
        description: 'On the engine, without waiting.',
        unit: 's',
        queries: [[quantile(0.95, 'batchSeconds', ['lane']), '{{lane}}']],
        thresholds: [10, 60],
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens per second and worker',
        description: 'Workers of one pool should be alike; a slower one shares its machine.',
        unit: 'short',
        queries: [[sum(rate('tokens'), ['instance']), '{{instance}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Engines busy',
        description:
          'The share of time in which engines ran a batch. If it is low despite a backlog, something else is the bottleneck.',
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
        description: 'Duration of each stage for a shard, including waits.',
        unit: 's',
        queries: [[quantile(0.95, 'stageSeconds', ['stage']), '{{stage}}']],
        thresholds: [30, 60],
      }),
    )
    .withPanel(
      graph({
        title: 'Where the time goes',
        description: 'Seconds per second that shards in progress spend in each stage.',
        unit: 'short',
        queries: [[sum(rateOf('sum', 'stageSeconds'), ['stage']), '{{stage}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Wait on the queue, 95th percentile',
        description: 'How long shards and queries were on the queue before a worker claimed them.',
        unit: 's',
        queries: [[quantile(0.95, 'queueWaitSeconds', ['lane']), '{{lane}}']],
        runbook: 'EmbedmillQueueStuck',
      }),
    )
    .withRow(new RowBuilder('Processes'))
    .withPanel(
      graph({
        title: 'Engine restarts',
        description:
          'By the reason why the previous engine ended. Its batch is run again, so occasional restarts do no harm.',
        unit: 'short',
        queries: [[sum(increase('engineRestarts'), ['reason']), '{{reason}}']],
        thresholds: [1, 3],
        runbook: 'EmbedmillEngineRestarts',
      }),
    )
    .withPanel(
      graph({
        title: 'Returned shards',
        description: 'Shards returned to be retried, and shards lost by workers that sent no heartbeat.',
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
        description: 'Lag of the workers’ own processes. A lag of seconds delays the renewal of locks.',
        unit: 's',
        queries: [[processSeries('nodejs_eventloop_lag_p99_seconds'), '{{instance}}']],
        thresholds: [0.25, 0.5],
        runbook: 'EmbedmillEventLoopLag',
      }),
    )
    .withPanel(
      graph({
        title: 'Resident memory',
        description: 'Memory of each worker, and of its engines.',
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
        description: 'Cores used for reading, tokenizing and upserting, without engines.',
        unit: 'short',
        queries: [[`rate(${processSeries('process_cpu_seconds_total')}[$__rate_interval])`, '{{instance}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Heap in use',
        description: 'Heap of the worker’s own process. It should not grow with a job’s length.',
        unit: 'bytes',
        queries: [[processSeries('nodejs_heap_size_used_bytes'), '{{instance}}']],
      }),
    )
    .withRow(new RowBuilder('GPUs (DCGM exporter)'))
    .withPanel(
      graph({
        title: 'GPU utilization',
        description:
          'The share of time in which anything ran on the GPU; a small batch counts as much as a full one.',
        unit: 'percent',
        queries: [[gpu('DCGM_FI_DEV_GPU_UTIL'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Tensor cores busy',
        description:
          'The figure that matters for embedding. If it is low at a high utilization, batches are small or padded.',
        unit: 'percentunit',
        queries: [[gpu('DCGM_FI_PROF_PIPE_TENSOR_ACTIVE'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'GPU memory',
        description: 'The share in use. ONNX Runtime keeps memory that it has allocated.',
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
        description: 'Near the limit, the GPU is the bottleneck.',
        unit: 'watt',
        queries: [[gpu('DCGM_FI_DEV_POWER_USAGE'), '{{Hostname}} {{gpu}}']],
      }),
    )
    .build();
}
