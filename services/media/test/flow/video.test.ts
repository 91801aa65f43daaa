import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { Ffmpeg } from '../../src/video/ffmpeg.js';
import { inputArguments } from '../../src/video/input-arguments.js';
import { probeVideo } from '../../src/video/probe-video.js';
import { takePoster } from '../../src/video/take-poster.js';
import { type TranscodeOptions, transcodeEncoders, transcodeVideo } from '../../src/video/transcode-video.js';
import { failureOf } from '../failure-of.js';
import { meanDifference } from '../photographs.js';
import { ffmpeg as runFfmpeg, makeVideo, probed, turnVideo } from '../make-video.js';
import { ffmpegChildren } from '../processes.js';
import { describeWithFfmpeg } from '../with-ffmpeg.js';

const ffmpeg = new Ffmpeg({ ffmpeg: 'ffmpeg', ffprobe: 'ffprobe' });
const maxPixels = 100_000_000;
const { signal } = new AbortController();

describeWithFfmpeg('video', () => {
  let folder: string;
  let source: string;
  let long: string;
  let target: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'media-test-'));
    source = join(folder, 'source.mp4');
    const place = [
      '-metadata',
      'location=+51.5-000.1/',
      '-metadata',
      'title=holiday',
      '-movflags',
      '+faststart',
    ];
    await makeVideo(source, { seconds: 4, sound: true, extra: place });
    long = join(folder, 'long.mp4');
    await makeVideo(long, { seconds: 15 });
  });
  after(() => rm(folder, { recursive: true }));

  const inFolder = (name: string): string => join(folder, name);
  const probe = (path: string, limit = maxPixels) => probeVideo(ffmpeg, path, { maxPixels: limit, signal });
  const poster = (at?: number, path = source) =>
    takePoster(ffmpeg, { source: path, target: inFolder('poster.png') }, { at, maxPixels, signal });
  const transcode = (options: Partial<TranscodeOptions> & { format: 'mp4' | 'webm' }, path = source) => {
    target = inFolder(`out.${options.format}`);
    const rest = { maxPixels, signal, onProgress: () => undefined };
    return transcodeVideo(ffmpeg, { source: path, target }, { ...rest, ...options });
  };

  describe('at the start of the service', () => {
    it('passes when ffmpeg has all the encoders', () => ffmpeg.check({ encoders: transcodeEncoders }));

    it('says what to do when there is no ffmpeg', async () => {
      const none = new Ffmpeg({ ffmpeg: '/nowhere/ffmpeg', ffprobe: 'ffprobe' });
      const error = await failureOf(none.check({ encoders: [] }));
      expect(error).to.include({ code: 'MEDIA_FFMPEG_UNUSABLE' });
      expect(error.message).to.match(/"\/nowhere\/ffmpeg" cannot be started: .*ENOENT/);
      expect(error.message)
        .to.include('apt-get install ffmpeg')
        .and.include('FFMPEG_PATH')
        .and.include('MEDIA_HANDLERS');
    });

    it('says what to do when there is no ffprobe', async () => {
      const none = new Ffmpeg({ ffmpeg: 'ffmpeg', ffprobe: '/nowhere/ffprobe' });
      expect((await failureOf(none.check({ encoders: [] }))).message).to.include('FFPROBE_PATH');
    });

    it('names encoders that are missing', async () => {
      const error = await failureOf(ffmpeg.check({ encoders: ['png', 'h999', 'mp5'] }));
      expect(error.message).to.include('"ffmpeg" is built without the encoders h999, mp5.');
    });
  });

  describe('probing', () => {
    it('tells container, duration and frame interval', async () => {
      expect(await probe(source)).to.deep.equal({ demuxer: 'mov', duration: 4, frameInterval: 0.04 });
    });

    it('knows no duration of a recording that was never closed', async () => {
      await makeVideo(inFolder('live.webm'), { seconds: 1, extra: ['-f', 'webm', '-live', '1'] });
      expect(await probe(inFolder('live.webm'))).to.include({ demuxer: 'matroska', duration: undefined });
    });

    it('refuses frames beyond the pixel limit', async () => {
      const error = await failureOf(probe(source, 320 * 240 - 1));
      expect(error).to.include({ code: 'MEDIA_TOO_MANY_PIXELS', permanent: true });
      expect(error.message).to.include('frames of 320×240 pixels; at most 76799');
    });

    it('refuses a sound file, even one with a cover picture', async () => {
      const cover = ['-f', 'lavfi', '-i', 'color=red:s=64x64:d=0.04', '-f', 'lavfi', '-i', 'sine=d=1'];
      const mapped = ['-map', '1:a', '-map', '0:v', '-c:v', 'png', '-disposition:v', 'attached_pic'];
      await runFfmpeg([...cover, ...mapped, inFolder('song.m4a')]);
      const error = await failureOf(probe(inFolder('song.m4a')));
      expect(error).to.include({ code: 'MEDIA_NOT_A_VIDEO', permanent: true });
      expect(error.message).to.include('only audio (aac), video (png)');
    });

    it('refuses text, saying what was expected', async () => {
      await writeFile(inFolder('text'), 'This is no film.\n'.repeat(100));
      const error = await failureOf(probe(inFolder('text')));
      expect(error).to.include({ code: 'MEDIA_NOT_A_VIDEO', permanent: true });
      expect(error.message).to.include('expected MP4, QuickTime, WebM');
    });

    it('refuses an empty file', async () => {
      await writeFile(inFolder('empty'), '');
      expect(await failureOf(probe(inFolder('empty')))).to.include({
        code: 'MEDIA_NOT_A_VIDEO',
        permanent: true,
      });
    });

    it('refuses a file whose index is cut off', async () => {
      await makeVideo(inFolder('whole.mp4'), { seconds: 1 });
      await writeFile(inFolder('headless'), (await readFile(inFolder('whole.mp4'))).subarray(0, 4_000));
      const error = await failureOf(probe(inFolder('headless')));
      expect(error).to.include({ code: 'MEDIA_VIDEO_DAMAGED', permanent: true });
      expect(error.message).to.include('moov atom not found');
    });

    it('does not take a file that the machine cannot read for a bad video', async () => {
      const error = await failureOf(probe(inFolder('none.mp4')));
      expect(error).to.include({ code: 'MEDIA_FFMPEG_FAILED', permanent: false });
      expect(error.message).to.include('No such file or directory');
    });
  });

  describe('a file that is a list of others', () => {
    const lists: [string, string, (path: string) => string][] = [
      [
        'HLS playlist',
        'hls',
        (path) => `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${path}\n#EXT-X-ENDLIST\n`,
      ],
      ['concat script', 'concat', (path) => `ffconcat version 1.0\nfile '${path}'\n`],
      [
        'session description of a stream on the network',
        'sdp',
        () =>
          'v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 33\na=rtpmap:33 MP2T/90000\n',
      ],
      [
        'DASH manifest',
        'dash',
        (path) =>
          '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" ' +
          'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" ' +
          'mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" ' +
          `bandwidth="1"><BaseURL>file://${path}</BaseURL></Representation></AdaptationSet></Period></MPD>`,
      ],
    ];
    for (const [name, format, content] of lists) {
      it(`is refused: ${name}`, async () => {
        const list = inFolder('innocent');
        await writeFile(list, content(source));
        const error = await failureOf(probe(list));
        expect(error).to.include({ code: 'MEDIA_NOT_A_VIDEO', permanent: true });
        expect(error.message).to.include(`The source is of format "${format}"`);
      });
    }
  });

  it('that names an address on the network does not get it called', async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls += 1;
      response.writeHead(404).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/part.ts`;
      const list = inFolder('playlist.m3u8');
      await writeFile(list, `#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n${url}\n#EXT-X-ENDLIST\n`);
      const open = ['-protocol_whitelist', 'file,http,tcp', '-i', list, '-f', 'null', '-'];
      await failureOf(runFfmpeg(open));
      expect(calls, 'an ffmpeg that may').to.be.above(0);
      calls = 0;
      expect(await failureOf(poster(0, list))).to.include({ code: 'MEDIA_NOT_A_VIDEO' });
      expect(await failureOf(transcode({ format: 'mp4' }, list))).to.include({ code: 'MEDIA_NOT_A_VIDEO' });
      const forced = ['-f', 'hls', ...inputArguments(list, { maxPixels }), '-f', 'null', '-'];
      await failureOf(ffmpeg.run(forced, { signal }));
      expect(calls, 'the ffmpeg of the service').to.equal(0);
    } finally {
      server.close();
    }
  });

  describe('a poster', () => {
    const frame = () => readFile(inFolder('poster.png'));
    const frameAt = async (seconds: number): Promise<Buffer> => {
      await runFfmpeg([
        '-i',
        source,
        '-vf',
        `select=gte(t\\,${seconds})`,
        '-frames:v',
        '1',
        inFolder('wanted.png'),
      ]);
      return readFile(inFolder('wanted.png'));
    };

    it('is the frame at the position asked for', async () => {
      await poster(2);
      expect(await sharp(await frame()).metadata()).to.include({ format: 'png', width: 320, height: 240 });
      expect(await meanDifference(await frame(), await frameAt(2))).to.be.below(0.5);
      expect(await meanDifference(await frame(), await frameAt(0))).to.be.above(0.5);
    });

    it('is a tenth into the video when no position is given', async () => {
      await poster();
      expect(await meanDifference(await frame(), await frameAt(0.4))).to.be.below(0.5);
    });

    it('is the last frame at the very end', async () => {
      await poster(4);
      expect(await meanDifference(await frame(), await frameAt(3.96))).to.be.below(0.5);
    });

    it('is refused beyond the end', async () => {
      const error = await failureOf(poster(4.5));
      expect(error).to.include({ code: 'MEDIA_BEYOND_END', permanent: true });
      expect(error.message).to.include('There is no frame at 4.5 s: the video is 4 s long.');
    });

    it('is refused beyond the end of a recording whose length nobody knows', async () => {
      await rm(inFolder('poster.png'), { force: true });
      await makeVideo(inFolder('live.webm'), { seconds: 1, extra: ['-f', 'webm', '-live', '1'] });
      expect(await failureOf(poster(9, inFolder('live.webm')))).to.include({ code: 'MEDIA_BEYOND_END' });
    });

    it('is upright when the telephone was held upright', async () => {
      await turnVideo(source, inFolder('upright.mp4'));
      await poster(1, inFolder('upright.mp4'));
      expect(await sharp(await frame()).metadata()).to.include({ width: 240, height: 320 });
    });
  });

  describe('a transcode', () => {
    it('to mp4 is H.264 and AAC, lower, with the index in front, and knows nothing of the place', async () => {
      await transcode({ format: 'mp4', height: 120 });
      const { streams, format } = await probed(target);
      expect(streams.map((stream) => stream['codec_name'])).to.deep.equal(['h264', 'aac']);
      expect(streams[0]).to.include({ width: 160, height: 120, pix_fmt: 'yuv420p' });
      expect(Number(format['duration'])).to.be.closeTo(4, 0.1);
      expect(format['tags']).to.not.have.any.keys('location', 'title');
      const bytes = await readFile(target);
      expect(bytes.indexOf('moov')).to.be.below(bytes.indexOf('mdat'));
    });

    it('to webm is VP9 and Opus', async () => {
      await transcode({ format: 'webm', height: 90 });
      const { streams } = await probed(target);
      expect(streams.map((stream) => stream['codec_name'])).to.deep.equal(['vp9', 'opus']);
      expect(streams[0]).to.include({ width: 120, height: 90 });
    });

    it('of a video with odd sides and no sound has even sides, and is not enlarged', async () => {
      const odd = inFolder('odd.avi');
      await runFfmpeg(['-f', 'lavfi', '-i', 'testsrc=d=1:s=161x91', '-c:v', 'png', odd]);
      await transcode({ format: 'mp4', height: 720 }, odd);
      const { streams } = await probed(target);
      expect(streams).to.have.length(1);
      expect(streams[0]).to.include({ width: 160, height: 90 });
    });

    it('tells its progress, rising to the end', async () => {
      const fractions: number[] = [];
      await transcode({ format: 'webm', onProgress: (fraction) => fractions.push(fraction ?? NaN) }, long);
      expect(fractions.length, fractions.join()).to.be.at.least(2);
      expect(fractions).to.deep.equal([...fractions].sort((a, b) => a - b));
      expect(fractions[0]).to.be.below(1);
      expect(fractions.at(-1)).to.be.closeTo(1, 0.01);
    });

    it('of a video that is cut off is refused, though ffmpeg ends it with success', async () => {
      const bytes = await readFile(source);
      await writeFile(inFolder('cut.mp4'), bytes.subarray(0, bytes.length * 0.5));
      const error = await failureOf(transcode({ format: 'mp4' }, inFolder('cut.mp4')));
      expect(error).to.include({ code: 'MEDIA_VIDEO_DAMAGED', permanent: true });
      expect(error.message).to.match(/Only \d\.\d of 4\.0 s of the video could be decoded/);
    });

    it('into a place that cannot be written is not the fault of the video', async () => {
      const nowhere = { source, target: inFolder('no-such-folder/out.mp4') };
      const options = { format: 'mp4', maxPixels, signal, onProgress: () => undefined } as const;
      const error = await failureOf(transcodeVideo(ffmpeg, nowhere, options));
      expect(error).to.include({ code: 'MEDIA_FFMPEG_FAILED', permanent: false });
      expect(error.message).to.include('No such file or directory');
    });

    it('that is killed from outside is to be tried again', async () => {
      const killed = inFolder('killed-ffmpeg');
      await writeFile(killed, '#!/bin/sh\nkill -KILL $$\n');
      await chmod(killed, 0o755);
      const fragile = new Ffmpeg({ ffmpeg: killed, ffprobe: 'ffprobe' });
      const options = { format: 'mp4', maxPixels, signal, onProgress: () => undefined } as const;
      const error = await failureOf(transcodeVideo(fragile, { source, target: inFolder('k.mp4') }, options));
      expect(error).to.include({ code: 'MEDIA_FFMPEG_FAILED', permanent: false });
      expect(error.message).to.include('ffmpeg ended with signal SIGKILL');
    });

    it('ends its ffmpeg when the signal aborts', async () => {
      const stop = new AbortController();
      const reason = new Error('time is over');
      const output = inFolder('out.webm');
      await rm(output, { force: true });
      const run = transcode(
        { format: 'webm', signal: stop.signal, onProgress: () => stop.abort(reason) },
        long,
      );
      expect(await failureOf(run)).to.equal(reason);
      expect(await ffmpegChildren()).to.deep.equal([]);
      expect((await stat(output)).isFile(), 'it had begun').to.equal(true);
    });
  });
});
