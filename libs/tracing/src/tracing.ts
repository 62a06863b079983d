/** A span's attributes; undefined ones are omitted. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The spans of one process. `NO_TRACING` only runs the work; the result of `startTracing` sends spans by OTLP.
 *
 * The current span propagates through calls and awaits; `inSpan` creates a child of it.
 */
export interface Tracing {
  readonly isOn: boolean;
  /** Runs the work in a new span, which ends with it and records its error. */
  inSpan<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Adds attributes to the current span. */
  annotate(attributes: Attributes): void;
  /** The span of an incoming HTTP request; a child of the caller's span if the headers have one (W3C Trace Context). */
  startRequest(headers: Readonly<Record<string, string | string[] | undefined>>): RequestSpan;
  /** Sends ended spans within some seconds. */
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
