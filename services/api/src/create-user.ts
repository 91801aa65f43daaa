import { randomUUID } from 'node:crypto';
import { SendEmail, priorityOf } from '@jobrail/email/jobs';
import { ResizeImage, variantFile } from '@jobrail/media/jobs';
import type { Storage } from '@jobrail/storage';
import type { RequestHandler } from 'express';
import { type InputOf, type JobClient, PublishError } from 'jobrail';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { ApiConfig } from './config.js';
import { invalidFields } from './http-error.js';
import { receiveUpload } from './receive-upload.js';

/** The form of a new user. What the contract of the mail asks of an address holds here too. */
const NewUser = z.object({
  email: SendEmail.payload.shape.to,
  name: z.string().trim().min(1).max(100),
});

/** Media types of avatars, and the endings of their keys. What a file really is, the media service finds out. */
const avatarTypes: Partial<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/gif': 'gif',
  'image/tiff': 'tiff',
};

type Variant = InputOf<typeof ResizeImage>['variants'][number];

/** The pictures that are made of an avatar. */
const avatarVariants: Variant[] = [
  { name: 'small', width: 64, height: 64, fit: 'cover', format: 'webp' },
  { name: 'medium', width: 256, height: 256, fit: 'cover', format: 'webp' },
  { name: 'large', width: 1_024, height: 1_024, fit: 'inside', format: 'jpeg' },
];

export interface CreateUserParts {
  client: JobClient;
  storage: Storage;
  config: Pick<ApiConfig, 'uploadLimitBytes' | 'loginUrl'>;
  log: Logger;
}

/**
 * `POST /users`: stores the avatar, enqueues its resizing and the welcome mail, and answers 202 once the broker has
 * confirmed both. Everything is checked before the first is sent. An avatar that no job will come for is removed.
 */
export function createUser({ client, storage, config, log }: CreateUserParts): RequestHandler {
  return async (request, response) => {
    const userId = randomUUID();
    const { fields, file } = await receiveUpload(request, response, {
      storage,
      field: 'avatar',
      limitBytes: config.uploadLimitBytes,
      keyFor: (mediaType) => {
        const ending = avatarTypes[mediaType];
        return ending && `uploads/${userId}/avatar.${ending}`;
      },
    });
    const jobs: { id: string; contract: string }[] = [];
    try {
      const { user, avatar } = checked(fields, file);
      const outputPrefix = `users/${userId}/avatar`;
      const resize = await client.enqueue(ResizeImage, {
        key: avatar.key,
        variants: avatarVariants,
        outputPrefix,
      });
      jobs.push({ id: resize.id, contract: ResizeImage.name });
      const welcome = await client.enqueue(
        SendEmail,
        { to: user.email, template: 'welcome', data: { name: user.name, loginUrl: config.loginUrl } },
        { priority: priorityOf('welcome') },
      );
      jobs.push({ id: welcome.id, contract: SendEmail.name });
      response.status(202).json({
        userId,
        jobs,
        pictures: avatarVariants.map((variant) => `${outputPrefix}/${variantFile(variant)}`),
      });
    } catch (error) {
      const needed = jobs.length > 0 || (error instanceof PublishError && error.maybeAccepted);
      if (file && !needed) {
        await storage
          .delete(file.key)
          .catch((err: unknown) => log.warn({ err, key: file.key }, 'an upload stays behind'));
      }
      throw error;
    }
  };
}

function checked<File>(fields: Record<string, unknown>, file: File | undefined) {
  const parsed = NewUser.safeParse(fields);
  const issues = (parsed.error?.issues ?? []).map(({ path, message }) => ({ path: path.join('.'), message }));
  if (file === undefined) issues.push({ path: 'avatar', message: 'Invalid input: expected a file' });
  if (!parsed.success || file === undefined) throw invalidFields(issues);
  return { user: parsed.data, avatar: file };
}
