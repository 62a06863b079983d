import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  TextBoxVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { METRICS } from '@embedmill/metrics';

export const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** An empty dashboard with what all dashboards share: the variables, and links to the others. */
export function dashboard(name: string, title: string, description: string): DashboardBuilder {
  const workers = METRICS.engines.name;
  return new DashboardBuilder(`Embedmill / ${title}`)
    .uid(`embedmill-${name}`)
    .description(description)
    .tags(['embedmill'])
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('Embedmill')
        .type(DashboardLinkType.Dashboards)
        .tags(['embedmill'])
        .asDropdown(false)
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(labelVariable('job', 'Job', `label_values({__name__=~"embedmill_.+"}, job)`))
    .withVariable(labelVariable('pool', 'Pool', `label_values(${workers}{job=~"$job"}, pool)`))
    .withVariable(
      labelVariable('instance', 'Worker', `label_values(${workers}{job=~"$job",pool=~"$pool"}, instance)`),
    )
    .withVariable(
      textVariable('runbooks', 'Runbooks', {
        description: 'The address of docs/runbooks.md of this version, to which panels link.',
        value: '/docs/runbooks.md',
      }),
    );
}

/** A variable whose value the reader types. */
export function textVariable(
  name: string,
  label: string,
  { description, value }: { description: string; value: string },
): TextBoxVariableBuilder {
  return new TextBoxVariableBuilder(name)
    .label(label)
    .description(description)
    .defaultValue(value)
    .current({ selected: true, text: value, value });
}

/** The values of a label. The default, all, also matches series without the label, as without pools. */
function labelVariable(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .query(query)
    .datasource(DATASOURCE)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}
