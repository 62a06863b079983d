import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, increase, once, over, quantile, rate, rateOf, sum } from './expression.ts';
import { graph, stat } from './panels.ts';
import { dashboard } from './variables.ts';

const toGo = sum(once(gauge('backlogDocuments'), ['model']));
const settled = sum(rate('documents'));
const failed = sum(rate('documents', { outcome: 'failed' }));

/** Is it working, how far is it, and does anything fail? */
export function overview(): Dashboard {
  return dashboard('overview', 'Overview', 'Jobs, documents per second, time to go, failures.')
    .withRow(new RowBuilder('Now'))
    .withPanel(
      stat({
        title: 'Jobs in hand',
        description: 'Unfinished jobs that a dispatcher has in hand; others wait for their turn.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs', { state: 'active' })), 'in hand']],
      }),
    )
    .withPanel(
      stat({
        title: 'Jobs waiting',
        description:
          'Unfinished jobs that no dispatcher has taken. There are some only where more than EMBEDMILL_API_JOBS of each dispatcher are unfinished.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs', { state: 'waiting' })), 'waiting']],
        thresholds: [50, 500],
      }),
    )
    .withPanel(
      stat({
        title: 'Documents to go',
        description: 'Documents of scanned jobs that are not settled.',
        unit: 'short',
        queries: [[toGo, 'documents']],
        runbook: 'EmbedmillNoProgress',
      }),
    )
    .withPanel(
      stat({
        title: 'Time to go',
        description:
          'Documents to go over documents per second: when all scanned jobs end at this pace. Empty while nothing moves.',
        unit: 's',
        queries: [[over(toGo, settled), 'time to go']],
        thresholds: [4 * 3600, 24 * 3600],
        decimals: 1,
      }),
    )
    .withPanel(
      stat({
        title: 'Failure ratio',
        description:
          'Of the documents settled, those that failed. The failures of a job name each with its reason.',
        unit: 'percentunit',
        queries: [[over(failed, settled), 'failed']],
        thresholds: [0.01, 0.05],
        runbook: 'EmbedmillFailureRatio',
        decimals: 2,
      }),
    )
    .withPanel(
      stat({
        title: 'Alerts firing',
        description: 'Alerts of deploy/prometheus/rules that fire now.',
        unit: 'short',
        queries: [['count(ALERTS{alertname=~"Embedmill.+",alertstate="firing"}) or vector(0)', 'firing']],
        thresholds: [1, 1],
      }),
    )
    .withRow(new RowBuilder('Work'))
    .withPanel(
      graph({
        title: 'Documents per second',
        description: 'Documents settled, by what became of them.',
        unit: 'short',
        queries: [[sum(rate('documents'), ['outcome']), '{{outcome}}']],
        runbook: 'EmbedmillNoProgress',
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens per second',
        description: 'Tokens run through models, padding not counted. Interactive ones are of queries.',
        unit: 'short',
        queries: [[sum(rate('tokens'), ['model', 'lane']), '{{model}} {{lane}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Documents to go',
        description: 'Documents of scanned jobs that are not settled, by model.',
        unit: 'short',
        queries: [[once(gauge('backlogDocuments'), ['model']), '{{model}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Jobs',
        description: 'Unfinished jobs: in a dispatcher’s hands, and waiting for one.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs'), ['state']), '{{state}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Jobs finished',
        description: 'Jobs that ended in each interval, by how. A failed job says why in its `error`.',
        unit: 'short',
        queries: [[sum(increase('finishedJobs'), ['state']), '{{state}}']],
        runbook: 'EmbedmillJobFailed',
      }),
    )
    .withPanel(
      graph({
        title: 'Paused',
        description: '1 while the queue is paused: nothing new is taken until "embedmill resume".',
        unit: 'short',
        queries: [[once(gauge('queuePaused')), 'paused']],
      }),
    )
    .withRow(new RowBuilder('Failures'))
    .withPanel(
      graph({
        title: 'Failed documents by reason',
        description: 'Codes of the error catalogue. Those of reading are the documents’ own faults.',
        unit: 'short',
        queries: [[sum(rate('failures'), ['reason']), '{{reason}}']],
        runbook: 'EmbedmillFailureRatio',
      }),
    )
    .withPanel(
      graph({
        title: 'API requests by status',
        description: 'Requests per second, streams of events left out.',
        unit: 'reqps',
        queries: [[sum(rateOf('count', 'httpSeconds'), ['status']), '{{status}}']],
        runbook: 'EmbedmillApiErrors',
      }),
    )
    .withPanel(
      graph({
        title: 'API latency, 95th percentile',
        description:
          'By route. Searches wait for a worker to embed their query; uploads for all their bytes.',
        unit: 's',
        queries: [[quantile(0.95, 'httpSeconds', ['route']), '{{route}}']],
        thresholds: [1, 10],
        runbook: 'EmbedmillApiErrors',
      }),
    )
    .build();
}
