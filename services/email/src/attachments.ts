import { Readable } from 'node:stream';
import type { Storage } from '@jobrail/storage';

/** A file of the storage, opened for a mail. */
export interface OpenAttachment {
  filename: string;
  content: Readable;
}

/**
 * Opens the attachments of a mail. Whether they are there is known before the mail server is bothered; they are read
 * only as the mail is sent. Give the result to `closeAttachments`, whatever comes of the mail.
 * @throws StorageError; then none is left open.
 */
export async function openAttachments(
  storage: Storage,
  attachments: readonly { key: string; filename: string }[],
): Promise<OpenAttachment[]> {
  const opened: OpenAttachment[] = [];
  try {
    for (const { key, filename } of attachments) {
      opened.push({ filename, content: heldUntilRead(await storage.get(key)) });
    }
    return opened;
  } catch (error) {
    closeAttachments(opened);
    throw error;
  }
}

/** Lets go of what was not read to its end. */
export function closeAttachments(attachments: readonly OpenAttachment[]): void {
  for (const { content } of attachments) content.destroy();
}

/**
 * A stream that fails while the mail still waits for its connection has nobody listening, which would end the
 * process. This one keeps the error for whoever reads it.
 */
function heldUntilRead(source: Readable): Readable {
  source.on('error', () => undefined);
  const content = Readable.from(source, { objectMode: false });
  content.once('close', () => source.destroy());
  return content;
}
