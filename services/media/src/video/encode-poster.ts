import sharp from 'sharp';

const contentTypes = { jpg: 'image/jpeg', jpeg: 'image/jpeg', png: 'image/png', webp: 'image/webp' } as const;
type PosterEnding = keyof typeof contentTypes;

/**
 * Turns the frame of a video into the picture that the ending of its key asks for. It is never enlarged.
 * @param frame a PNG file.
 */
export async function encodePoster(
  frame: Buffer,
  { outputKey, width }: { outputKey: string; width?: number | undefined },
): Promise<{ bytes: Buffer; contentType: string }> {
  const ending = outputKey.slice(outputKey.lastIndexOf('.') + 1).toLowerCase() as PosterEnding;
  // The probe has held the frame against the service's own pixel limit.
  const picture = sharp(frame, { limitInputPixels: false }).resize({ width, withoutEnlargement: true });
  const encoded =
    ending === 'png' ? picture.png() : ending === 'webp' ? picture.webp() : picture.jpeg({ mozjpeg: true });
  return { bytes: await encoded.toBuffer(), contentType: contentTypes[ending] };
}
