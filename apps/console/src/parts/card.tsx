import type { ComponentChildren } from 'preact';
import type { Loaded } from '../server/use-server.ts';
import { Loading, ProblemNotice } from './notice.tsx';

interface CardProps {
  readonly title?: string;
  readonly actions?: ComponentChildren;
  /** Whether its content extends from edge to edge, as tables do. */
  readonly whole?: boolean;
  readonly children: ComponentChildren;
}

export function Card({ title, actions, whole = false, children }: CardProps) {
  return (
    <section class="card" aria-label={title}>
      {(title !== undefined || actions !== undefined) && (
        <div class="card-head">
          {title === undefined ? <span /> : <h2>{title}</h2>}
          {actions !== undefined && <div class="actions">{actions}</div>}
        </div>
      )}
      <div class={whole ? 'card-body whole' : 'card-body'}>{children}</div>
    </section>
  );
}

export function PageHead({
  title,
  trail,
  children,
  actions,
}: {
  title: ComponentChildren;
  trail?: ComponentChildren;
  children?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  return (
    <header class="page-head">
      <div>
        {trail !== undefined && <nav class="trail">{trail}</nav>}
        <h1>{title}</h1>
        {children !== undefined && <p>{children}</p>}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
    </header>
  );
}

/** Shows what was loaded, or why loading failed. Earlier data stays visible while newer data is loading. */
export function Shown<T>({
  of: { data, problem, reload },
  children,
  lines,
}: {
  of: Loaded<T>;
  children: (data: T) => ComponentChildren;
  lines?: number;
}) {
  return (
    <>
      {problem !== undefined && <ProblemNotice problem={problem} onRetry={reload} />}
      {data !== undefined
        ? children(data)
        : problem === undefined && <Loading {...(lines !== undefined && { lines })} />}
    </>
  );
}

export function Figure({
  name,
  value,
  note,
}: {
  name: string;
  value: ComponentChildren;
  note?: ComponentChildren;
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd>{value}</dd>
      {note !== undefined && note !== false && <dd class="note">{note}</dd>}
    </div>
  );
}
