import { Component, type ComponentChildren } from 'preact';
import { ProblemNotice } from '../parts/notice.tsx';
import { problemOf, type Problem } from '../server/problem.ts';

/** Shows an error if a page breaks; the navigation stays usable. */
export class Boundary extends Component<{ children: ComponentChildren }, { problem?: Problem }> {
  static override getDerivedStateFromError(error: unknown): { problem: Problem } {
    return { problem: problemOf(error) };
  }

  override render({ children }: { children: ComponentChildren }, { problem }: { problem?: Problem }) {
    return problem === undefined ? children : <ProblemNotice problem={problem} />;
  }
}
