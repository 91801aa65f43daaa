import type { SendEmail } from '@jobrail/email/jobs';
import type { StoredFile } from '@jobrail/storage';
import type { InputOf } from 'jobrail';
import type { ReportSettings } from './report-settings.js';

export interface FinishedReport {
  title: string;
  format: 'pdf' | 'xlsx' | 'csv';
  rows: number;
  file: StoredFile;
}

/** The mail that tells `to` of a report: the file attached when it is small, and a link to it when links are configured. */
export function readyMail(
  to: string,
  report: FinishedReport,
  settings: ReportSettings,
): InputOf<typeof SendEmail> {
  const { title, format, rows, file } = report;
  const { attachMaxBytes, linkBase } = settings;
  const attached = file.bytes <= attachMaxBytes;
  return {
    to,
    template: 'report-ready',
    data: {
      title,
      format,
      rows,
      key: file.key,
      ...(linkBase !== undefined && { reportUrl: linkTo(linkBase, file.key) }),
    },
    ...(attached && { attachments: [{ key: file.key, filename: `${fileName(title)}.${format}` }] }),
  };
}

function linkTo(base: string, key: string): string {
  return `${base.replace(/\/$/, '')}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

/** The title as a file name that every system takes. */
function fileName(title: string): string {
  const plain = title.replace(/[\p{Cc}\p{Cs}<>:"/\\|?*]/gu, ' ').replace(/\s+/g, ' ');
  const name = [...plain]
    .slice(0, 80)
    .join('')
    .replace(/^[ .]+|[ .]+$/g, '');
  return name || 'report';
}
