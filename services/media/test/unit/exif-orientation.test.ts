import { expect } from 'chai';
import sharp from 'sharp';
import { openImage } from '../../src/image/image.js';
import { type Picture, renderVariants } from '../../src/image/render-variants.js';
import type { ImageVariant } from '../../src/jobs.js';
import { collect } from '../collect.js';
import { meanDifference, photograph } from '../photographs.js';

const maxPixels = 100_000_000;
const { signal } = new AbortController();

async function render(bytes: Buffer, ...variants: ImageVariant[]): Promise<Picture[]> {
  const image = await openImage(bytes, { maxPixels });
  return collect(renderVariants(image, variants, { maxPixels, signal }));
}

const large: ImageVariant = { name: 'large', width: 600, height: 600, fit: 'inside', format: 'webp' };
const square: ImageVariant = { name: 'square', width: 200, height: 200, format: 'jpeg' };

for (const layout of ['Landscape', 'Portrait'] as const) {
  describe(`a ${layout.toLowerCase()} photograph`, () => {
    const size = layout === 'Landscape' ? { width: 600, height: 400 } : { width: 400, height: 600 };
    let upright: Picture[];

    before(async () => {
      upright = await render(await photograph(layout, 1), large, square);
    });

    for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
      it(`stored in EXIF orientation ${orientation} comes out upright`, async () => {
        const source = await photograph(layout, orientation);
        expect((await sharp(source).metadata()).orientation).to.equal(orientation);
        const pictures = await render(source, large, square);
        expect(pictures.map((picture) => picture.size)).to.deep.equal([size, { width: 200, height: 200 }]);
        for (const [at, { bytes }] of pictures.entries()) {
          const reference = upright[at]!.bytes;
          const { width, height } = await sharp(bytes).metadata();
          expect({ width, height }).to.deep.equal(pictures[at]!.size);
          // Each file was compressed by itself, so they differ by up to 3; turned the wrong way, by 38 and more.
          expect(await meanDifference(bytes, reference)).to.be.below(6);
        }
        const [alone] = await render(source, large);
        expect(await meanDifference(alone!.bytes, upright[0]!.bytes)).to.be.below(6);
      });
    }

    it('would be told from one that is turned or mirrored', async () => {
      const { bytes } = upright[0]!;
      for (const wrong of [sharp(bytes).rotate(180), sharp(bytes).flip(), sharp(bytes).flop()]) {
        expect(await meanDifference(await wrong.png().toBuffer(), bytes)).to.be.above(30);
      }
    });
  });
}
