import { expect } from 'chai';
import { ResizeImage, Transcode, variantFile, VideoPoster } from '../../src/jobs.js';

const variant = { name: 'thumb', width: 100, format: 'webp' };
const resize = { key: 'uploads/a.jpg', variants: [variant], outputPrefix: 'avatars/42' };
const poster = { key: 'films/a.mp4', outputKey: 'films/a.webp' };
const transcode = { key: 'films/a.mov', format: 'mp4', outputKey: 'films/a.mp4' };

describe('the contracts', () => {
  it('keep pictures and films on queues of their own', () => {
    expect([ResizeImage.queue.name, VideoPoster.queue.name, Transcode.queue.name]).to.deep.equal([
      'media',
      'video',
      'video',
    ]);
  });

  it('accept payloads as they are', () => {
    expect(ResizeImage.payload.parse(resize)).to.deep.equal(resize);
    expect(VideoPoster.payload.parse(poster)).to.deep.equal(poster);
    expect(Transcode.payload.parse(transcode)).to.deep.equal(transcode);
  });

  it('tell the name of the file of a variant', () => {
    expect(variantFile({ name: 'small', format: 'jpeg' })).to.equal('small.jpg');
    expect(variantFile({ name: 'small', format: 'avif' })).to.equal('small.avif');
  });

  const refusedVariants: [string, object, string][] = [
    ['a name that leaves the prefix', { name: '../x' }, 'variants.0.name'],
    ['an empty name', { name: '' }, 'variants.0.name'],
    ['a width of nothing', { width: 0 }, 'variants.0.width'],
    ['half a pixel', { height: 10.5 }, 'variants.0.height'],
    ['a width that no format holds', { width: 70_000 }, 'variants.0.width'],
    ['an unknown format', { format: 'gif' }, 'variants.0.format'],
    ['an unknown fit', { fit: 'fill' }, 'variants.0.fit'],
    ['a quality of 101', { quality: 101 }, 'variants.0.quality'],
  ];
  for (const [fault, change, path] of refusedVariants) {
    it(`refuse ${fault}`, () => {
      const result = ResizeImage.payload.safeParse({ ...resize, variants: [{ ...variant, ...change }] });
      expect(result.error?.issues.map((issue) => issue.path.join('.'))).to.deep.equal([path]);
    });
  }

  it('refuse two variants that would be the same file, but not one name in two formats', () => {
    const twice = { ...resize, variants: [variant, { ...variant, width: 200 }] };
    expect(ResizeImage.payload.safeParse(twice).error?.issues[0]?.message).to.include('the same file');
    const formats = { ...resize, variants: [variant, { ...variant, format: 'avif' }] };
    expect(ResizeImage.payload.safeParse(formats).success).to.equal(true);
  });

  it('refuse no variants at all', () => {
    expect(ResizeImage.payload.safeParse({ ...resize, variants: [] }).success).to.equal(false);
  });

  it('refuse a poster whose key does not tell its format, and a negative position', () => {
    expect(VideoPoster.payload.safeParse({ ...poster, outputKey: 'films/poster' }).success).to.equal(false);
    expect(VideoPoster.payload.safeParse({ ...poster, at: -1 }).success).to.equal(false);
  });

  it('refuse a height that the codecs cannot have', () => {
    expect(Transcode.payload.safeParse({ ...transcode, height: 721 }).success).to.equal(false);
  });
});
