/** What the service accepts as input. Injected by the token `mediaLimits`. */
export interface MediaLimits {
  /** Pixels of a picture or video frame, read or made. A decoded pixel takes 3 or 4 bytes. */
  maxPixels: number;
  maxImageBytes: number;
  maxVideoBytes: number;
}

export const mediaLimits = Symbol('MediaLimits');
