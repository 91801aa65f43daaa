import { expect } from 'chai';
import sharp from 'sharp';
import { ResizeImage } from '../../src/jobs.js';
import { MediaRail } from '../media-rail.js';
import { photograph } from '../photographs.js';
import { ServiceProcess } from '../service-process.js';

describe('the media service as a process', function () {
  this.timeout(60_000);
  let rail: MediaRail;
  let service: ServiceProcess | undefined;

  beforeEach(async function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
    rail = await MediaRail.open();
  });
  afterEach(async () => {
    await service?.end();
    service = undefined;
    await rail?.close();
  });

  it('starts by itself, makes the variants, keeps what it cannot use, and ends with exit code 0', async () => {
    await rail.storage.put('uploads/ada.jpg', await photograph('Portrait', 6));
    await rail.storage.put('uploads/notes.jpg', 'These are notes.');
    // Enqueued before the service was ever started.
    const good = await rail.client.enqueue(ResizeImage, {
      key: 'uploads/ada.jpg',
      variants: [
        { name: 'avatar', width: 128, height: 128, fit: 'cover', format: 'webp' },
        { name: 'profile', width: 480, format: 'avif', quality: 40 },
        { name: 'page', width: 800, height: 800, fit: 'inside', format: 'jpeg' },
      ],
      outputPrefix: 'users/ada',
    });
    service = new ServiceProcess(rail.environment);
    await service.line(good.id, 'image resized');
    const shapes = [
      ['avatar.webp', 'webp', 128, 128],
      ['profile.avif', 'heif', 480, 720],
      ['page.jpg', 'jpeg', 533, 800],
    ] as const;
    for (const [file, format, width, height] of shapes) {
      const metadata = await sharp(await rail.read(`users/ada/${file}`)).metadata();
      expect(metadata, file).to.include({ format, width, height });
      expect(metadata.exif, file).to.equal(undefined);
    }

    const bad = await rail.client.enqueue(ResizeImage, {
      key: 'uploads/notes.jpg',
      variants: [{ name: 'avatar', width: 128, format: 'webp' }],
      outputPrefix: 'users/notes',
    });
    const headers = await rail.deadLetter(bad.id, 'media');
    expect(headers['x-jobrail-dead-reason']).to.equal('fatal');
    expect(headers['x-jobrail-error-message']).to.include(
      'The source is text that starts with "These are notes."; expected JPEG, PNG, WebP, AVIF, GIF or TIFF.',
    );

    service.terminate();
    expect(await service.exited, service.output.join('\n')).to.equal(0);
  });

  it('ends the start with a clear error when video is switched on and there is no ffmpeg', async () => {
    service = new ServiceProcess({
      ...rail.environment,
      MEDIA_HANDLERS: 'resize,transcode',
      FFMPEG_PATH: '/nowhere/ffmpeg',
      FFPROBE_PATH: '/nowhere/ffprobe',
    });
    await service.line('"/nowhere/ffprobe" cannot be started', 'apt-get install ffmpeg', 'MEDIA_HANDLERS');
    expect(await service.exited).to.not.equal(0);
  });

  it('ends the start with an error that names the variable that is wrong', async () => {
    service = new ServiceProcess({ ...rail.environment, MEDIA_HANDLERS: 'thumbnails' });
    await service.line('MEDIA_HANDLERS names the unknown handler "thumbnails"');
    expect(await service.exited).to.not.equal(0);
  });
});
