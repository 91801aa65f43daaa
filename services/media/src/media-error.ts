/** Every code of a MediaError: what it means, and whether trying the same again is pointless. */
export const mediaErrorCodes = {
  MEDIA_CONFIG_INVALID: {
    permanent: true,
    means: 'An environment variable has a value that cannot be used.',
  },
  MEDIA_FFMPEG_UNUSABLE: { permanent: true, means: 'ffmpeg or ffprobe is missing, or lacks an encoder.' },
  MEDIA_INPUT_TOO_LARGE: {
    permanent: true,
    means: 'The source file has more bytes than the service accepts.',
  },
  MEDIA_TOO_MANY_PIXELS: {
    permanent: true,
    means: 'A picture, read or asked for, has more pixels than accepted.',
  },
  MEDIA_NOT_AN_IMAGE: { permanent: true, means: 'The source file is in no image format that is accepted.' },
  MEDIA_IMAGE_DAMAGED: { permanent: true, means: 'The source image cannot be decoded to its end.' },
  MEDIA_NOT_A_VIDEO: { permanent: true, means: 'The source file is in no video format that is accepted.' },
  MEDIA_VIDEO_DAMAGED: { permanent: true, means: 'The source video cannot be decoded to its end.' },
  MEDIA_BEYOND_END: { permanent: true, means: 'The position asked for lies behind the end of the video.' },
  MEDIA_FFMPEG_FAILED: { permanent: false, means: 'ffmpeg failed for a reason that is not the file.' },
} as const satisfies Record<string, { permanent: boolean; means: string }>;

export type MediaErrorCode = keyof typeof mediaErrorCodes;

/**
 * An error of the media work. Branch on `code` or `permanent`; `message` says what was seen and expected, `mend` the
 * next step. Knows nothing of jobs: `fatalWhenPermanent` turns it into an outcome.
 */
export class MediaError extends Error {
  /** True when the same input will fail again, so that the job should be given up instead of retried. */
  readonly permanent: boolean;
  readonly mend: string;

  constructor(
    readonly code: MediaErrorCode,
    message: string,
    { mend, cause }: { mend: string; cause?: unknown },
  ) {
    super(`${message} ${mend}`, cause === undefined ? undefined : { cause });
    this.name = 'MediaError';
    this.permanent = mediaErrorCodes[code].permanent;
    this.mend = mend;
  }
}
