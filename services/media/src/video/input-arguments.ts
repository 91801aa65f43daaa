/**
 * What an input may be, by ffmpeg's demuxer names: containers that hold their media themselves. Absent on purpose are
 * those that are lists of other files or addresses (hls, dash, concat …), through which an uploaded text file would
 * make ffmpeg read this machine's files or call into its network.
 */
const acceptedDemuxers = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf';

/** The same, for messages. */
export const acceptedVideoFormats = 'MP4, QuickTime, WebM, Matroska, AVI, MPEG, Ogg, FLV or ASF';

/** Input arguments for ffmpeg and ffprobe, with everything off that reaches beyond the one file. */
export function inputArguments(
  path: string,
  { maxPixels, demuxer }: { maxPixels: number; demuxer?: string },
): string[] {
  return [
    ...['-protocol_whitelist', 'file,pipe'],
    ...['-format_whitelist', acceptedDemuxers],
    ...['-max_pixels', String(maxPixels)],
    // Named once it is known, so that ffmpeg cannot come to another conclusion than the probe did.
    ...(demuxer === undefined ? [] : ['-f', demuxer]),
    // "file:" keeps a path with a colon, or a dash in front, from being read as something else.
    ...['-i', `file:${path}`],
  ];
}
