import { RowBuilder, type Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { gauge, increase, once, over, quantile, rate, rateOf, sum } from './expression.ts';
import { graph, stat } from './panels.ts';
import { dashboard } from './variables.ts';

const toGo = sum(once(gauge('backlogDocuments'), ['model']));
const settled = sum(rate('documents'));
const failed = sum(rate('documents', { outcome: 'failed' }));

/** Answers: does it work, how far is it, and does anything fail? */
export function overview(): Dashboard {
  return dashboard('overview', 'Overview', 'Jobs, documents per second, remaining time, failures.')
    .withRow(new RowBuilder('Now'))
    .withPanel(
      stat({
        title: 'Active jobs',
        description: 'Unfinished jobs that a dispatcher is running; others wait for their turn.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs', { state: 'active' })), 'in hand']],
      }),
    )
    .withPanel(
      stat({
        title: 'Jobs waiting',
        description:
          'Unfinished jobs that no dispatcher has claimed. There are some only if each dispatcher already runs EMBEDMILL_API_JOBS jobs.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs', { state: 'waiting' })), 'waiting']],
        thresholds: [50, 500],
      }),
    )
    .withPanel(
      stat({
        title: 'Pending documents',
        description: 'Documents of scanned jobs that are not settled.',
        unit: 'short',
        queries: [[toGo, 'documents']],
        runbook: 'EmbedmillNoProgress',
      }),
    )
    .withPanel(
      stat({
        title: 'Remaining time',
        description:
          'Pending documents divided by documents per second: when all scanned jobs will end at this rate. Empty while nothing progresses.',
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
          'The share of settled documents that failed. A job’s failures list each with its reason.',
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
        description: 'Firing alerts of deploy/prometheus/rules.',
        unit: 'short',
        queries: [['count(ALERTS{alertname=~"Embedmill.+",alertstate="firing"}) or vector(0)', 'firing']],
        thresholds: [1, 1],
      }),
    )
    .withRow(new RowBuilder('Work'))
    .withPanel(
      graph({
        title: 'Documents per second',
        description: 'Settled documents, by outcome.',
        unit: 'short',
        queries: [[sum(rate('documents'), ['outcome']), '{{outcome}}']],
        runbook: 'EmbedmillNoProgress',
      }),
    )
    .withPanel(
      graph({
        title: 'Tokens per second',
        description: 'Tokens run through models, without padding. Interactive tokens come from queries.',
        unit: 'short',
        queries: [[sum(rate('tokens'), ['model', 'lane']), '{{model}} {{lane}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Pending documents',
        description: 'Documents of scanned jobs that are not settled yet, by model.',
        unit: 'short',
        queries: [[once(gauge('backlogDocuments'), ['model']), '{{model}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Jobs',
        description: 'Unfinished jobs: run by a dispatcher, or waiting for one.',
        unit: 'short',
        queries: [[once(gauge('unfinishedJobs'), ['state']), '{{state}}']],
      }),
    )
    .withPanel(
      graph({
        title: 'Jobs finished',
        description:
          'Jobs finished in each interval, by final state. The `error` of a failed job shows the reason.',
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
        description: 'Codes of the error catalogue. Codes at the read stage are faults of the documents.',
        unit: 'short',
        queries: [[sum(rate('failures'), ['reason']), '{{reason}}']],
        runbook: 'EmbedmillFailureRatio',
      }),
    )
    .withPanel(
      graph({
        title: 'API requests by status',
        description: 'Requests per second, without event streams.',
        unit: 'reqps',
        queries: [[sum(rateOf('count', 'httpSeconds'), ['status']), '{{status}}']],
        runbook: 'EmbedmillApiErrors',
      }),
    )
    .withPanel(
      graph({
        title: 'Queries by outcome',
        description:
          'Queries per second that requests sent to a model; failed: no worker answered, or none in time.',
        unit: 'reqps',
        queries: [[sum(rate('queries'), ['model', 'outcome']), '{{model}} {{outcome}}']],
        runbook: 'EmbedmillQueriesFail',
      }),
    )
    .withPanel(
      graph({
        title: 'API latency, 95th percentile',
        description:
          'By route. Searches wait for a worker to embed their query; uploads wait for all their bytes.',
        unit: 's',
        queries: [[quantile(0.95, 'httpSeconds', ['route']), '{{route}}']],
        thresholds: [1, 10],
        runbook: 'EmbedmillApiErrors',
      }),
    )
    .build();
}
