import { expect } from 'chai';
import sharp from 'sharp';
import { openImage } from '../../src/image/image.js';
import { type Picture, renderVariants } from '../../src/image/render-variants.js';
import type { ImageVariant } from '../../src/jobs.js';
import { collect } from '../collect.js';
import { failureOf } from '../failure-of.js';
import { meanDifference, photograph } from '../photographs.js';

const maxPixels = 100_000_000;

async function render(
  bytes: Buffer,
  variants: ImageVariant[],
  { signal = new AbortController().signal, limit = maxPixels } = {},
): Promise<Picture[]> {
  const image = await openImage(bytes, { maxPixels });
  return collect(renderVariants(image, variants, { maxPixels: limit, signal }));
}

describe('rendering variants', () => {
  let photo: Buffer;
  before(async () => {
    photo = await photograph('Landscape', 6);
  });

  it('writes webp, avif and jpeg of the sizes asked for', async () => {
    const pictures = await render(photo, [
      { name: 'a', width: 480, format: 'webp' },
      { name: 'b', height: 100, format: 'avif' },
      { name: 'c', width: 64, height: 64, format: 'jpeg' },
    ]);
    const seen = await Promise.all(pictures.map(({ bytes }) => sharp(bytes).metadata()));
    expect(
      seen.map(({ format, compression, width, height }) => [compression ?? format, width, height]),
    ).to.deep.equal([
      ['webp', 480, 320],
      ['av1', 150, 100],
      ['jpeg', 64, 64],
    ]);
  });

  it('leaves no metadata of the source in any format', async () => {
    const tagged = await sharp(photo)
      .withExif({
        IFD0: { Copyright: 'someone' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' },
      })
      .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>')
      .withIccProfile('p3')
      .jpeg()
      .toBuffer();
    const before = await sharp(tagged).metadata();
    expect(before.exif, 'the source has EXIF').to.be.instanceOf(Buffer);
    expect(before.exif?.includes('someone')).to.equal(true);
    const all = (['webp', 'avif', 'jpeg'] as const).map((format) => ({ name: 'v', width: 50, format }));
    for (const variants of [all, ...all.map((variant) => [variant])]) {
      for (const { bytes } of await render(tagged, variants)) {
        const { exif, xmp, iptc, icc, orientation } = await sharp(bytes).metadata();
        expect({ exif, xmp, iptc, icc, orientation }).to.deep.equal({
          exif: undefined,
          xmp: undefined,
          iptc: undefined,
          icc: undefined,
          orientation: undefined,
        });
        expect(bytes.includes('someone') || bytes.includes('Exif')).to.equal(false);
      }
    }
  });

  it('gives a variant the same size and looks, alone or among others', async () => {
    const small: ImageVariant = { name: 'small', width: 333, format: 'webp', quality: 95 };
    const [alone] = await render(photo, [small]);
    const [, among] = await render(photo, [{ name: 'large', width: 1600, format: 'jpeg' }, small]);
    expect(among?.size).to.deep.equal(alone?.size);
    expect(await meanDifference(among!.bytes, alone!.bytes)).to.be.below(3);
  });

  it('crops for cover, pads for contain, and pads white where JPEG knows no transparency', async () => {
    const red = await sharp({ create: { width: 200, height: 100, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const box = { width: 60, height: 60, quality: 95 };
    const pictures = await render(red, [
      { name: 'cover', ...box, fit: 'cover', format: 'webp' },
      { name: 'contain', ...box, fit: 'contain', format: 'webp' },
      { name: 'paper', ...box, fit: 'contain', format: 'jpeg' },
    ]);
    const corners = await Promise.all(pictures.map(({ bytes }) => cornerOf(bytes)));
    expect(corners[0]).to.satisfy(([r, , b, a]: number[]) => r! > 240 && b! < 20 && a === 255);
    expect(corners[1]?.[3]).to.equal(0);
    expect(corners[2]).to.satisfy((channels: number[]) => channels.every((channel) => channel > 245));
  });

  it('shows white, not black, through the transparent parts of a picture turned into JPEG', async () => {
    const glass = await sharp({ create: { width: 40, height: 40, channels: 4, background: '#00000000' } })
      .png()
      .toBuffer();
    for (const variants of [[jpeg('a', 20)], [jpeg('a', 20), jpeg('b', 30)]]) {
      for (const { bytes } of await render(glass, variants))
        expect((await cornerOf(bytes))[0]).to.be.above(245);
    }
  });

  it('reads greyscale, 16-bit, CMYK, palette and animated sources, through a master too', async () => {
    const small = sharp(photo).autoOrient().resize(300);
    const sources = {
      grey: await small.clone().greyscale().jpeg({ quality: 95 }).toBuffer(),
      deep: await small.clone().toColourspace('rgb16').png().toBuffer(),
      cmyk: await small.clone().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(),
      palette: await small.clone().png({ palette: true }).toBuffer(),
      gif: await small.clone().gif().toBuffer(),
      tiff: await small.clone().tiff({ quality: 95 }).toBuffer(),
    };
    const variants: ImageVariant[] = [jpeg('large', 200), jpeg('small', 100)];
    const reference = await render(await small.clone().png().toBuffer(), variants);
    for (const [kind, source] of Object.entries(sources)) {
      for (const [at, { bytes, size }] of (await render(source, variants)).entries()) {
        expect(size, kind).to.deep.equal(reference[at]!.size);
        const wanted =
          kind === 'grey'
            ? await sharp(reference[at]!.bytes).greyscale().png().toBuffer()
            : reference[at]!.bytes;
        const seen = kind === 'grey' ? await sharp(bytes).greyscale().png().toBuffer() : bytes;
        expect(await meanDifference(seen, wanted), kind).to.be.below(kind === 'cmyk' ? 25 : 8);
      }
    }
  });

  it('refuses a variant that its format cannot hold, before decoding anything', async () => {
    const strip = await sharp({ create: { width: 17_000, height: 4, channels: 3, background: 'red' } })
      .png()
      .toBuffer();
    const error = await failureOf(render(strip, [{ name: 'wide', format: 'webp' }]));
    expect(error).to.include({ code: 'MEDIA_TOO_MANY_PIXELS', permanent: true });
    expect(error.message).to.include('Variant "wide" would have 17000×4 pixels; webp allows 16383 on a side');
    expect(await render(strip, [{ name: 'wide', format: 'jpeg' }])).to.have.length(1);
  });

  it('refuses a variant that would be blown up beyond the pixel limit', async () => {
    const error = await failureOf(
      render(photo, [{ name: 'poster', width: 10_000, height: 10_000, format: 'jpeg' }], {
        limit: 50_000_000,
      }),
    );
    expect(error).to.include({ code: 'MEDIA_TOO_MANY_PIXELS', permanent: true });
  });

  it('stops between two variants when the signal aborts', async () => {
    const stop = new AbortController();
    const image = await openImage(photo, { maxPixels });
    const made: string[] = [];
    const reason = new Error('time is over');
    const run = async (): Promise<void> => {
      const variants = ['a', 'b', 'c'].map((name) => jpeg(name, 50));
      for await (const { variant } of renderVariants(image, variants, { maxPixels, signal: stop.signal })) {
        made.push(variant.name);
        stop.abort(reason);
      }
    };
    expect(await failureOf(run())).to.equal(reason);
    expect(made).to.deep.equal(['a']);
  });

  it('does not wait for a step that is under way when the signal aborts', async () => {
    const stop = new AbortController();
    const reason = new Error('time is over');
    const slow = render(photo, [{ name: 'slow', width: 700, format: 'avif' }], { signal: stop.signal });
    setImmediate(() => stop.abort(reason));
    expect(await failureOf(slow)).to.equal(reason);
  });
});

function jpeg(name: string, width: number): ImageVariant {
  return { name, width, format: 'jpeg', quality: 95 };
}

/** Red, green, blue and alpha of the pixel at the top left. */
async function cornerOf(picture: Buffer): Promise<number[]> {
  const pixel = sharp(picture).ensureAlpha().extract({ left: 0, top: 0, width: 1, height: 1 });
  return [...(await pixel.raw().toBuffer())];
}
