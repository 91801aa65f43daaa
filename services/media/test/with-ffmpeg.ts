import { spawnSync } from 'node:child_process';

const missing = ['ffmpeg', 'ffprobe'].filter((program) => spawnSync(program, ['-version']).status !== 0);

/**
 * `describe` for what needs ffmpeg on this machine. Without it the tests are skipped by name; under CI, where it has to
 * be installed, they fail.
 */
export function describeWithFfmpeg(title: string, tests: () => void): void {
  if (missing.length === 0) {
    describe(title, tests);
  } else if (process.env['CI']) {
    describe(title, () => {
      it('needs ffmpeg', () => {
        throw new Error(
          `${missing.join(' and ')} cannot be run; install it (Debian: apt-get install ffmpeg)`,
        );
      });
    });
  } else {
    describe.skip(`${title} (skipped: there is no ${missing.join(' and no ')} on PATH)`, tests);
  }
}
