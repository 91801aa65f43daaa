import type { JobContext } from 'jobrail';

/** Steps in which progress is told: finer ones only cost messages. */
const step = 0.01;

/** Tells the progress of a job whose rows are read, and then (for a PDF) drawn. */
export class BuildProgress {
  /** Rows read so far. */
  rows = 0;
  private read = 0;
  private drawn = 0;
  private told = 0;

  /** @param readShare the part of the work that is reading, 0 to 1. */
  constructor(
    private readonly job: Pick<JobContext, 'progress'>,
    private readonly readShare: number,
  ) {}

  rowsRead(count: number, fraction: number): void {
    this.rows += count;
    this.read = fraction;
    this.tell();
  }

  pagesDrawn(fraction: number): void {
    this.read = 1;
    this.drawn = fraction;
    this.tell();
  }

  private tell(): void {
    const fraction = this.read * this.readShare + this.drawn * (1 - this.readShare);
    if (fraction < this.told + step) return;
    this.told = fraction;
    this.job.progress(fraction, `${this.rows.toLocaleString('en')} rows`);
  }
}
