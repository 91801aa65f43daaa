/** Sends many by `one`, with 1,000 under way. */
export function windowed(one) {
  return async (count, payload) => {
    let next = 0;
    const inTurn = async () => {
      while (next++ < count) await one(payload);
    };
    await Promise.all(Array.from({ length: 1_000 }, inTurn));
  };
}
