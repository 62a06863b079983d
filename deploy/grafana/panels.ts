import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type Panel,
  type Threshold,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { DATASOURCE } from './variables.ts';

export interface PanelSpec {
  title: string;
  /** What it shows, and how to read it. */
  description: string;
  /** The unit, under Grafana's name. */
  unit: string;
  /** PromQL expressions with the legends of their series. */
  queries: readonly (readonly [expression: string, legend: string])[];
  /**
   * The value from which it deserves a look, and the value from which something is wrong. If the second is lower, lower
   * values are worse.
   */
  thresholds?: readonly [look: number, wrong: number];
  /** The alert whose runbook explains more. */
  runbook?: string;
  decimals?: number;
}

/** In columns, of a dashboard's 24. */
const STAT_WIDTH = 4;
const GRAPH_WIDTH = 8;

/** The current value, with its recent history as the background. */
export function stat(spec: PanelSpec): Builder<Panel> {
  const panel = new StatBuilder()
    .height(4)
    .span(STAT_WIDTH)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  return described(panel, spec);
}

/** A line chart over time. */
export function graph(spec: PanelSpec): Builder<Panel> {
  const panel = new TimeseriesBuilder()
    .min(0)
    .height(8)
    .span(GRAPH_WIDTH)
    .lineWidth(1)
    .fillOpacity(8)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    );
  if (spec.thresholds !== undefined)
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  return described(panel, spec);
}

function described<Of extends StatBuilder | TimeseriesBuilder>(panel: Of, spec: PanelSpec): Of {
  const { title, description, unit, queries, thresholds, runbook, decimals } = spec;
  panel.title(title).description(description).unit(unit).datasource(DATASOURCE);
  if (decimals !== undefined) panel.decimals(decimals);
  for (const [n, [expression, legend]] of queries.entries()) {
    const refId = String.fromCharCode(65 + n);
    panel.withTarget(new DataqueryBuilder().refId(refId).expr(expression).legendFormat(legend).range());
  }
  panel.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(stepsOf(thresholds)));
  if (runbook !== undefined)
    panel.links([
      new DashboardLinkBuilder('Runbook')
        .type(DashboardLinkType.Link)
        .url(`\${runbooks}#${runbook.toLowerCase()}`)
        .targetBlank(true),
    ]);
  return panel;
}

function stepsOf(thresholds: PanelSpec['thresholds']): Threshold[] {
  if (thresholds === undefined) return [{ value: null, color: 'green' }];
  const [look, wrong] = thresholds;
  const steps: Threshold[] = [
    { value: null, color: look < wrong ? 'green' : 'red' },
    { value: Math.min(look, wrong), color: 'orange' },
    { value: Math.max(look, wrong), color: look < wrong ? 'red' : 'green' },
  ];
  return steps;
}
