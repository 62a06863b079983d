export interface Stretch {
  readonly share: number;
  readonly tone?: 'bad' | 'rest';
}

/** A progress bar in stretches of a whole. Without stretches, the total is unknown and the bar is indeterminate. */
export function Progress({ label, stretches }: { label: string; stretches: readonly Stretch[] | undefined }) {
  const done = stretches?.reduce((sum, { share }) => sum + share, 0);
  return (
    <div
      class="progress"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={done === undefined ? undefined : Math.round(done * 100)}
      data-unknown={stretches === undefined}
    >
      {stretches === undefined ? (
        <span />
      ) : (
        stretches.map(({ share, tone = 'good' }) => (
          <span key={tone} data-tone={tone} style={{ width: `${share * 100}%` }} />
        ))
      )}
    </div>
  );
}
