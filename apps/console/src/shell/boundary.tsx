import { Component, type ComponentChildren } from 'preact';
import { ProblemNotice } from '../parts/notice.tsx';
import { Problem } from '../server/problem.ts';

/** A page that breaks is told, and the way to the others stays. */
export class Boundary extends Component<{ children: ComponentChildren }, { problem?: Problem }> {
  static override getDerivedStateFromError(error: unknown): { problem: Problem } {
    const message = error instanceof Error ? error.message : String(error);
    return { problem: new Problem('broken_page', 0, 'Error', message) };
  }

  override render({ children }: { children: ComponentChildren }, { problem }: { problem?: Problem }) {
    return problem === undefined ? children : <ProblemNotice problem={problem} />;
  }
}
