import type { Calibration } from '@embedmill/embed/pipeline';
import type { WorkerModel } from '@embedmill/jobs';
import { deviceLabel, type Device } from '@embedmill/inference';
import type { DownloadProgress } from '@embedmill/models';

interface ModelState {
  state: WorkerModel['state'];
  devices: string[];
  calibration: WorkerModel['calibration'];
  download: WorkerModel['download'];
  error: WorkerModel['error'];
  /** Since the last report. */
  tokens: number;
}

const UNKNOWN: ModelState = {
  state: 'loading',
  devices: [],
  calibration: null,
  download: null,
  error: null,
  tokens: 0,
};

/**
 * The state of this worker's models, for operators. The model set updates it as models are loaded, fail and run; `take`
 * returns it every few seconds, with each model's work since the last time.
 */
export class ModelStates {
  readonly #models = new Map<string, ModelState>();
  #takenAt: number;

  constructor(now: number) {
    this.#takenAt = now;
  }

  loading(model: string): void {
    // A retry after a failure is shown only once it makes progress.
    if (!this.#models.has(model)) this.#change(model, {});
  }

  downloading(model: string, { file, receivedBytes, totalBytes }: DownloadProgress): void {
    const download = { file, receivedBytes, totalBytes: totalBytes ?? null };
    this.#change(model, { state: 'downloading', download, error: null });
  }

  starting(model: string, devices: readonly Device[], calibration: Calibration | undefined): void {
    this.#change(model, {
      state: 'loading',
      devices: devices.map(deviceLabel),
      calibration: calibration === undefined ? null : measuredBy(calibration),
      download: null,
      error: null,
    });
  }

  startingRemote(model: string): void {
    this.#change(model, { state: 'loading', devices: ['remote'], download: null, error: null });
  }

  serving(model: string): void {
    this.#change(model, { state: 'serving', download: null, error: null });
  }

  failed(model: string, { code, message }: { code: string; message: string }): void {
    this.#change(model, { state: 'failed', download: null, error: { code, message } });
  }

  ran(model: string, tokens: number): void {
    const known = this.#models.get(model);
    if (known !== undefined) known.tokens += tokens;
  }

  /** `now` in milliseconds, of a monotonic clock. */
  take(now: number): WorkerModel[] {
    const seconds = Math.max(0.001, (now - this.#takenAt) / 1000);
    this.#takenAt = now;
    return [...this.#models].map(([model, known]) => {
      const { tokens, ...state } = known;
      known.tokens = 0;
      return { model, ...state, tokensPerSecond: Math.round(tokens / seconds) };
    });
  }

  #change(model: string, change: Partial<ModelState>): void {
    this.#models.set(model, { ...(this.#models.get(model) ?? UNKNOWN), ...change });
  }
}

function measuredBy({ tokensPerSecond, measuredAt }: Calibration): WorkerModel['calibration'] {
  return { tokensPerSecond, measuredAt };
}
