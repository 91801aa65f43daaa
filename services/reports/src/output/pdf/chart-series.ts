import { ReportError } from '../../report-error.js';
import type { ColumnKind } from '../../table/column-kind.js';
import { readNumber } from '../../table/column-kind.js';
import { readMoment } from '../../table/moment.js';
import { columnIndex } from '../../table/select-columns.js';
import type { Row, Table } from '../../table/table.js';

export interface ChartRequest {
  /** Name of the column with the labels. */
  label: string;
  /** Name of the column with the numbers. */
  value: string;
  /** Default: `line` for dates and numbers as labels, else `bar`. */
  kind?: 'bar' | 'line' | undefined;
}

export interface ChartPoint {
  label: string;
  /** Where it lies along the axis of labels: milliseconds, a number, or its position when labels are words. */
  at: number;
  value: number;
}

/** What a chart shows, gathered while rows pass by. Values of equal labels are added up. */
export class ChartSeries {
  readonly kind: 'bar' | 'line';
  readonly labelKind: ColumnKind;
  private readonly sums = new Map<string, number>();
  private readonly labelIndex: number;
  private readonly valueIndex: number;
  private withoutNumber: string | undefined;
  private addedUp = false;

  /** @throws ReportError (`COLUMN_UNKNOWN`). */
  constructor(
    readonly request: ChartRequest,
    columns: Table['columns'],
  ) {
    this.labelIndex = columnIndex(columns, request.label, 'chart.label');
    this.valueIndex = columnIndex(columns, request.value, 'chart.value');
    this.labelKind = columns[this.labelIndex]?.kind ?? 'text';
    const alongAnAxis = ['date', 'moment', 'number'].includes(this.labelKind);
    this.kind = request.kind ?? (alongAnAxis ? 'line' : 'bar');
  }

  /** What the chart shows, in words. */
  get title(): string {
    const { label, value } = this.request;
    return `${this.addedUp ? `Sum of ${value}` : value} by ${label}`;
  }

  /** The same table, from which each row is counted as it is read. */
  watch(table: Table): Table {
    return { ...table, batches: this.pass(table.batches) };
  }

  /**
   * The points in the order of the axis; words in the order of their first row.
   * @throws ReportError (`CHART_NOT_NUMERIC`) when there were values, and none is a number.
   */
  points(): ChartPoint[] {
    if (this.sums.size === 0 && this.withoutNumber !== undefined) {
      throw new ReportError(
        'CHART_NOT_NUMERIC',
        `chart.value names "${this.request.value}", which holds no number but ${JSON.stringify(this.withoutNumber)}.`,
        { mend: 'Name a column of numbers.' },
      );
    }
    const points = [...this.sums].map(([label, value], index) => ({
      label,
      at: this.position(label, index),
      value,
    }));
    const placed = points.filter(({ at }) => Number.isFinite(at));
    return this.labelKind === 'text' ? placed : placed.sort((one, other) => one.at - other.at);
  }

  private async *pass(batches: Table['batches']): AsyncGenerator<readonly Row[]> {
    for await (const batch of batches) {
      for (const row of batch) this.count(row);
      yield batch;
    }
  }

  private count(row: Row): void {
    const label = row[this.labelIndex] ?? null;
    const cell = row[this.valueIndex] ?? null;
    if (label === null || cell === null) return;
    const value = cell.trim() === '' ? NaN : Number(cell);
    if (!Number.isFinite(value)) {
      this.withoutNumber ??= cell.slice(0, 40);
      return;
    }
    const sum = this.sums.get(label);
    if (sum !== undefined) this.addedUp = true;
    this.sums.set(label, (sum ?? 0) + value);
  }

  private position(label: string, index: number): number {
    if (this.labelKind === 'number') return readNumber(label) ?? NaN;
    if (this.labelKind === 'date' || this.labelKind === 'moment') return readMoment(label)?.ms ?? NaN;
    return index;
  }
}
