import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { ResizeImage, Transcode, VideoPoster } from '../../src/jobs.js';
import { makeVideo, probed } from '../make-video.js';
import { MediaRail } from '../media-rail.js';
import { photograph } from '../photographs.js';
import { ffmpegChildren } from '../processes.js';
import { describeWithFfmpeg } from '../with-ffmpeg.js';

describeWithFfmpeg('video jobs on RabbitMQ', () => {
  let rail: MediaRail;
  const all = { MEDIA_HANDLERS: 'resize,video-poster,transcode' };

  beforeEach(async function () {
    if (!process.env['AMQP_URL'] && !process.env['CI']) this.skip();
    rail = await MediaRail.open();
  });
  afterEach(() => rail?.close());

  async function storeVideo(key: string, seconds: number): Promise<void> {
    const path = join(rail.folder, 'made.mp4');
    await makeVideo(path, { seconds, sound: true });
    await rail.storage.fromFile(key, path);
  }

  it('take a poster and transcode, with progress that rises to the end', async () => {
    await storeVideo('films/a.mp4', 8);
    await rail.start(all);
    const poster = await rail.client.enqueue(VideoPoster, {
      key: 'films/a.mp4',
      at: 5,
      width: 160,
      outputKey: 'films/a.jpg',
    });
    const { id } = await rail.client.enqueue(Transcode, {
      key: 'films/a.mp4',
      format: 'webm',
      height: 120,
      outputKey: 'films/a.webm',
    });
    expect((await rail.sighting('outcome', poster.id)).outcome.kind).to.equal('completed');
    expect(await sharp(await rail.read('films/a.jpg')).metadata()).to.include({
      format: 'jpeg',
      width: 160,
      height: 120,
    });

    expect((await rail.sighting('outcome', id)).outcome.kind).to.equal('completed');
    const { streams } = await probed(join(rail.folder, 'films/a.webm'));
    expect(streams.map((stream) => stream['codec_name'])).to.deep.equal(['vp9', 'opus']);
    const fractions = rail.seen.flatMap((s) => (s.kind === 'progress' && s.id === id ? [s.fraction] : []));
    expect(fractions.length).to.be.at.least(2);
    expect(fractions).to.deep.equal([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).to.equal(1);
  });

  it('never delay a thumbnail, and give back an unfinished transcode at the end, with no ffmpeg left', async () => {
    await storeVideo('films/long.mp4', 60);
    await rail.storage.put('uploads/a.jpg', await photograph('Landscape', 1));
    const service = await rail.start(all, { gracePeriod: '1ms' });
    const film = await rail.client.enqueue(Transcode, {
      key: 'films/long.mp4',
      format: 'webm',
      outputKey: 'films/long.webm',
    });
    await rail.sighting('progress', film.id);
    const photo = await rail.client.enqueue(ResizeImage, {
      key: 'uploads/a.jpg',
      variants: [{ name: 'thumb', width: 100, format: 'webp' }],
      outputPrefix: 'thumbs',
    });
    expect((await rail.sighting('outcome', photo.id)).outcome.kind).to.equal('completed');
    expect(
      rail.seen.some((s) => s.kind === 'outcome' && s.id === film.id),
      'the transcode still runs',
    ).to.equal(false);
    expect(await ffmpegChildren()).to.have.length(1);

    await service.stop();
    expect((await rail.sighting('outcome', film.id)).outcome.kind).to.equal('released');
    expect(await ffmpegChildren()).to.deep.equal([]);
    expect(await rail.storage.exists('films/long.webm')).to.equal(false);
  });

  it('are dead letters when the source is no video, is cut off, or is missing', async () => {
    await storeVideo('films/a.mp4', 4);
    const bytes = await readFile(join(rail.folder, 'films/a.mp4'));
    await rail.storage.put('films/headless.mp4', bytes.subarray(0, 10_000));
    await rail.storage.put('films/letter.mp4', 'Dear Sir, this is no film.');
    await rail.start(all);
    const cases = [
      ['films/headless.mp4', /cannot be read: .*moov atom not found/],
      ['films/letter.mp4', /The source is no video; expected MP4/],
      ['films/none.mp4', /There is no file of key "films\/none.mp4"/],
    ] as const;
    for (const [key, message] of cases) {
      const { id } = await rail.client.enqueue(Transcode, { key, format: 'mp4', outputKey: 'films/out.mp4' });
      const headers = await rail.deadLetter(id, 'video');
      expect(headers['x-jobrail-dead-reason'], key).to.equal('fatal');
      expect(headers['x-jobrail-error-message'], key).to.match(message);
    }
  });

  it('are tried again when ffmpeg is at fault', async () => {
    await storeVideo('films/a.mp4', 1);
    const fragile = join(rail.folder, 'fragile-ffmpeg');
    // The real one, but for its first run on a video: that is killed, as the kernel does when memory runs out.
    await writeFile(
      fragile,
      `#!/bin/sh\ncase "$*" in *-encoders*) exec ffmpeg "$@";; esac\n` +
        `if mkdir '${fragile}.ran'; then kill -KILL $$; fi\nexec ffmpeg "$@"\n`,
      { mode: 0o755 },
    );
    await rail.start({ ...all, FFMPEG_PATH: fragile });
    const { id } = await rail.client.enqueue(VideoPoster, { key: 'films/a.mp4', outputKey: 'films/a.png' });
    const [first, second] = (await rail.sightings('outcome', id, 2)).map(({ outcome }) => outcome);
    expect(first?.kind === 'retry' && first.error.message).to.include('ffmpeg ended with signal SIGKILL');
    expect(second?.kind).to.equal('completed');
    expect(await sharp(await rail.read('films/a.png')).metadata()).to.include({ width: 320, height: 240 });
  });
});
