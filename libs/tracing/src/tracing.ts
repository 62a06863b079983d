/** What is known of a span beside its name and times; undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Spans of one process. `NO_TRACING` does the work and nothing else; what `startTracing` gives sends them by OTLP.
 *
 * The span in which code runs follows it through its calls and awaits; `inSpan` makes a child of it.
 */
export interface Tracing {
  readonly isOn: boolean;
  /** Does the work in a span of its own, which ends with it and has its error. */
  inSpan<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Says more of the span in which this runs. */
  annotate(attributes: Attributes): void;
  /** The span of an HTTP request that came; a child of the caller's, where the headers name it (W3C Trace Context). */
  startRequest(headers: Readonly<Record<string, string | string[] | undefined>>): RequestSpan;
  /** Sends what has ended, within some seconds. */
  close(): Promise<void>;
}

export interface RequestSpan {
  run(work: () => void): void;
  end(name: string, attributes: Attributes, isError: boolean): void;
}

export const NO_TRACING: Tracing = {
  isOn: false,
  inSpan: (_name, work) => work(),
  annotate: () => {},
  startRequest: () => ({ run: (work) => work(), end: () => {} }),
  close: () => Promise.resolve(),
};
