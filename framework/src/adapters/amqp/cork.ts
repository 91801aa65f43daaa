import type { ChannelModel } from 'amqplib';

interface Muxer {
  _readIncoming(): void;
  out: NodeJS.WritableStream & { cork(): void; uncork(): void };
}

/**
 * Lets the frames of a tick leave in one write. amqplib writes one system call a frame, which is a third to a half of a
 * busy client's time; its multiplexer empties all channel buffers in one function, so the socket is corked around it.
 * Reaches into amqplib, whose version is pinned; if its inside ever looks different, frames go as amqplib sends them.
 */
export function writeTicksAtOnce(model: ChannelModel): void {
  const muxer = (model.connection as unknown as { muxer?: Partial<Muxer> }).muxer;
  const { out } = muxer ?? {};
  const readIncoming = muxer?._readIncoming;
  if (!muxer || !readIncoming || typeof out?.cork !== 'function') return;
  muxer._readIncoming = () => {
    out.cork();
    try {
      readIncoming.call(muxer);
    } finally {
      out.uncork();
    }
  };
}
