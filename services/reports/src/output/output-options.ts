/** What every output is told beside the table. */
export interface OutputOptions {
  title: string;
  /** When the report was asked for. It is written where a file wants a date, so that a repeated job makes an equal file. */
  requestedAt: Date;
  /** Called at most a few times, with what could not be shown in full. */
  warn: (note: string) => void;
}
