import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { photograph } from '../inputs.mjs';
import { must } from './check.mjs';
/** @import { Check } from './check.mjs' */

/** What must come out for each photograph: `width` and `height` given the size of the upright photograph. */
const EXPECTED = /** @type {const} */ ({
  'small.webp': { format: 'webp', size: () => [64, 64] },
  'medium.webp': { format: 'webp', size: () => [256, 256] },
  'large.jpg': { format: 'jpeg', size: inside1024 },
});

/** How much the brightness of a spot may differ between two encodings of the same picture, on average, of 255. */
const TOLERANCE = 8;

/** @type {Check} */
export const picturesRight = {
  name: 'pictures',
  async run({ users }, { storage }) {
    const seen = [];
    for (const user of users) {
      const upright = await sharp(await photograph(user.photograph.replace(/\d/, '1'))).toBuffer({
        resolveWithObject: true,
      });
      must(
        user.pictures.length === Object.keys(EXPECTED).length,
        `${user.name} has ${user.pictures.length} pictures`,
      );
      for (const [file, { format, size }] of Object.entries(EXPECTED)) {
        const key = user.pictures.find((picture) => picture.endsWith(`/${file}`)) ?? '';
        const picture = await buffer(await storage.get(key));
        const found = await sharp(picture).metadata();
        const [width, height] = size(upright.info.width, upright.info.height);
        const as = `${key} is ${found.format} ${found.width}×${found.height}`;
        must(
          found.format === format && found.width === width && found.height === height,
          `${as}, not ${width}×${height}`,
        );
        must(!found.exif && (found.orientation ?? 1) === 1, `${key} still has EXIF data`);
        if (file === 'large.jpg')
          must((await difference(picture, upright.data)) < TOLERANCE, `${key} is not upright`);
      }
      seen.push(user.photograph.replace('.jpg', ''));
    }
    return `${users.length * 3} pictures read back, right in size and format, upright, without EXIF (${seen.join(', ')})`;
  },
};

/** @param {number} width @param {number} height @returns {[number, number]} */
function inside1024(width, height) {
  const scale = Math.min(1, 1_024 / Math.max(width, height));
  return [Math.round(width * scale), Math.round(height * scale)];
}

/**
 * How far two pictures are apart in brightness, looked at from afar.
 *
 * @param {Buffer} one
 * @param {Buffer} other
 */
async function difference(one, other) {
  const [a, b] = await Promise.all(
    [one, other].map((picture) =>
      sharp(picture).resize(16, 16, { fit: 'fill' }).greyscale().raw().toBuffer(),
    ),
  );
  const spots = [...(a ?? [])].map((value, index) => Math.abs(value - (b?.[index] ?? 0)));
  return spots.reduce((sum, value) => sum + value, 0) / spots.length;
}
